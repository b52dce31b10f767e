"""With all coefficients as they are, the gradient is torch's: whichever way it is computed."""

from collections.abc import Callable
from math import prod
from typing import Any

import pytest
import torch
from geometries import DRAWN, Case, cases, conv_case
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from xconv.layout import Layout
from xconv.schemes import spectral
from xconv.spectrum import correlation
from xconv.spectrum.blocks import blocks_of, by_frequency, transform

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same'")

TOLERANCE = 2e-5
"""Of the gradient's norm; everything is computed in float32."""
SIDES = {1: (32, 50, 64, 100, 128), 2: (8, 10, 12, 16, 24, 32), 3: (4, 6, 8, 12)}
"""Lengths that blocks end with."""


@st.composite
def whole_blocks(draw: Callable[..., Any]) -> Case:
    """Convolutions whose windows are all alike."""
    size = draw(st.integers(1, 3))
    pixels = tuple(draw(st.sampled_from(SIDES[size])) for _ in range(size))
    assume(prod(pixels) <= 800)
    sides = blocks_of(pixels).sides
    stride = tuple(draw(st.sampled_from([n for n in (1, 2, 4) if side % n == 0])) for side in sides)
    kernel = tuple(draw(st.integers(1, 4)) for _ in range(size))
    dilation = tuple(draw(st.integers(1, 3)) for _ in range(size))
    padding = tuple(draw(st.integers(0, 3)) for _ in range(size))
    reach = [d * (k - 1) - 2 * p for d, k, p in zip(dilation, kernel, padding, strict=True)]
    assume(all(r < n for r, n in zip(reach, pixels, strict=True)))
    groups = draw(st.integers(1, 2))
    inside, outside = draw(st.integers(1, 2)), draw(st.integers(1, 3))
    shape = (draw(st.integers(1, 3)), groups * inside, *pixels)
    return Case(shape, groups * outside, kernel, stride, dilation, padding, groups,
                channels_last=draw(st.booleans()))  # fmt: skip


class Call:
    """A convolution in float32: its coefficients, and torch's gradient in float64."""

    def __init__(self, case: Case) -> None:
        layer, input = case.torch_layer(), case.input()
        output = layer(input)
        delta = case.output_gradient(output)
        (self.exact,) = torch.autograd.grad(output, layer.weight, delta)
        self.case, self.delta, self.weight = case, delta.float(), layer.weight.detach().float()
        self.input = input.detach().float()
        self.layout = Layout.of(self.input)
        self.blocks = blocks_of(tuple(input.shape[2:]))
        maps = transform(self.input.reshape(-1, *self.blocks.pixels), self.blocks)
        values = by_frequency(maps, self.blocks)
        self.values = values.reshape(self.blocks.size, *input.shape[:2], self.blocks.number)

    def gradient(self, frequencies: Tensor) -> Tensor:
        """The way that the scheme chooses."""
        return spectral.gradient_of(
            self.values[frequencies], frequencies, self.delta, self.case.geometry, self.layout,
            self.weight,
        )  # fmt: skip

    def all_gradient(self) -> Tensor:
        return self.gradient(torch.arange(self.blocks.size))

    @property
    def applies(self) -> bool:
        return correlation.applies(self.blocks, self.case.geometry)


def assert_close(actual: Tensor, expected: Tensor) -> None:
    assert actual.shape == expected.shape and actual.dtype == torch.float32
    error = float((actual - expected).norm())
    assert error <= TOLERANCE * max(float(expected.norm()), 1e-3)


@pytest.fixture(params=["correlated", "expanded"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Force one of the two orders of computing, where both are possible."""
    monkeypatch.setattr(correlation, "costs_less", lambda *_: request.param == "correlated")
    return str(request.param)


@settings(DRAWN, max_examples=120)
@given(case=whole_blocks())
def test_with_all_coefficients_it_is_torchs(way: str, case: Case) -> None:
    call = Call(case)
    assert call.applies
    assert_close(call.all_gradient(), call.exact)


@settings(DRAWN, max_examples=120)
@given(case=cases(max_pixels=300))
def test_so_it_is_for_any_geometry(way: str, case: Case) -> None:
    """Transposed ones, padding modes, blocks over the edge: where only x̂ will do, it is formed."""
    assert_close(Call(case).all_gradient(), Call(case).exact)


OVER_THE_EDGE = {
    "1d": conv_case((2, 2, 67), 3, 3, padding=2, stride=2),
    "2d": conv_case((2, 3, 17, 21), 2, 3, padding=1),
    "2d, circular": conv_case((2, 2, 19, 17), 2, 3, padding=1, padding_mode="circular"),
    "2d, reflect": conv_case((2, 2, 16, 32), 2, 3, padding=2, padding_mode="reflect"),
    "2d, even": conv_case((2, 2, 16, 24), 2, 4, padding="same"),
    "2d, groups": conv_case((2, 4, 23, 9), 6, 3, dilation=2, groups=2, channels_last=True),
    "3d": conv_case((2, 2, 9, 11, 5), 2, 2, padding=1),
    "transposed": conv_case((2, 2, 17, 8), 3, 3, stride=2, padding=1, transposed=True),
    "3d transposed": conv_case((1, 2, 9, 5, 4), 2, 3, stride=2, transposed=True),
}


@pytest.mark.parametrize("case", OVER_THE_EDGE.values(), ids=OVER_THE_EDGE)
def test_blocks_over_the_edge(case: Case, way: str) -> None:
    call = Call(case)
    assert not call.applies
    assert_close(call.all_gradient(), call.exact)


SEVERAL_BLOCKS = {
    "1d": conv_case((2, 3, 128), 4, 5, padding=2),
    "2d": conv_case((3, 4, 32, 20), 6, 3, padding=1),
    "2d, strided": conv_case((3, 4, 32, 24), 6, 3, padding=1, stride=2, groups=2),
    "2d, dilated": conv_case((3, 4, 32, 24), 6, 3, padding=2, dilation=3),
    "3d": conv_case((2, 2, 8, 16, 4), 3, 3, padding=1),
}
every_call = pytest.mark.parametrize("case", SEVERAL_BLOCKS.values(), ids=SEVERAL_BLOCKS)


@every_call
@pytest.mark.parametrize("thin", [0, 10**9], ids=["all sides at once", "side after side"])
@pytest.mark.parametrize("kept", [1, 9, 40])
def test_some_coefficients_give_the_gradient_of_what_they_make(
    case: Case, thin: int, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both ways to correlate and both orders; ``thin`` decides between the first two."""
    call = Call(case)
    assert call.blocks.number > 1
    order = torch.randperm(call.blocks.size, generator=torch.Generator().manual_seed(0))
    frequencies = order[:kept].to(torch.int16)
    monkeypatch.setattr(correlation, "costs_less", lambda *_: False)
    expected = call.gradient(frequencies.long())
    monkeypatch.setattr(correlation, "costs_less", lambda *_: True)
    monkeypatch.setattr(correlation, "_THIN", thin)
    assert_close(call.gradient(frequencies.long()), expected)


@every_call
def test_a_batch_in_parts_gives_the_same(case: Case, way: str, monkeypatch: Any) -> None:
    call = Call(case)
    monkeypatch.setitem(spectral._AT_A_TIME, "cpu", 1)
    assert_close(call.all_gradient(), call.exact)


def test_what_windows_cannot_do_is_not_tried() -> None:
    for case, applies in [
        (conv_case((1, 1, 16, 16), 1, 3, padding=1), True),
        (conv_case((1, 1, 16, 16), 1, 3, stride=3), False),
        (conv_case((1, 1, 17, 16), 1, 3), False),
        (conv_case((1, 1, 16, 16), 1, 3, padding=1, padding_mode="reflect"), False),
        (conv_case((1, 1, 16, 16), 1, 4, padding="same"), False),
        (conv_case((1, 1, 16, 16), 1, 3, transposed=True), False),
    ]:
        assert correlation.applies(blocks_of(case.input_shape[2:]), case.geometry) is applies


def test_few_frequencies_of_many_channels_are_correlated_many_of_few_are_not() -> None:
    def costs_less(channels: int, kept: int) -> bool:
        case = conv_case((4, channels, 32, 32), channels, 3, padding=1)
        layout = Layout(torch.Size(case.input_shape), torch.float32, torch.device("cpu"))
        weight = torch.Size((channels, channels, 3, 3))
        output = torch.Size((4, channels, 32, 32))
        return correlation.costs_less(
            blocks_of((32, 32)), kept, case.geometry, layout, weight, output
        )

    assert costs_less(256, 16) and not costs_less(4, 200) and not costs_less(256, 256)
