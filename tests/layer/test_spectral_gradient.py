"""With all coefficients as they are the gradient is torch's, by either way, whatever the geometry;
with those of a call its mean over seeds is."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from unittest import mock

import pytest
import torch
from geometries import DRAWN, Case, cases, conv_case
from hypothesis import given, settings
from hypothesis import strategies as st
from statistics_checker import check_mean
from torch import Tensor

from xconv import functional
from xconv.layout import Layout
from xconv.schemes.spectral import gradient_of
from xconv.spectrum import correlation
from xconv.spectrum.blocks import blocks_of, by_frequency, transform
from xconv.spectrum.parts import parts_of

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same'")

SEEDS = 900
ROUNDING = 2e-5
"""Tolerance of float32, relative to the largest entry: sums of a few thousand products."""


def small_parts(room: int) -> Any:
    return mock.patch("xconv.spectrum.parts.SMALL", {"cpu": room})


def parts(input: Tensor, layout: Layout, frequencies: Tensor) -> Iterator[Tensor]:
    """The coefficients as ``gradient_of`` takes them, none rounded and none left out of those."""
    blocks = blocks_of(tuple(layout.shape[2:]))
    lines = transform(input.reshape(-1, *blocks.pixels), blocks)
    values = by_frequency(lines, blocks).reshape(blocks.size, *input.shape[:2], blocks.number)
    for images, channels in parts_of(layout):
        for some in channels:
            yield values[frequencies.long()][:, images, some]


def gradient(case: Case, input: Tensor, delta: Tensor, frequencies: Tensor, direct: bool) -> Tensor:
    layout = Layout.of(input)
    weight = case.torch_layer(torch.float32).weight.detach()
    with mock.patch.object(correlation, "costs_less", return_value=direct):
        return gradient_of(
            parts(input, layout, frequencies), frequencies, delta, case.geometry, layout, weight
        )


def torch_s(case: Case, input: Tensor, delta: Tensor) -> Tensor:
    layer = case.torch_layer()
    output = layer(input.double())
    (expected,) = torch.autograd.grad(output, layer.weight, delta.double())
    return expected


def images(case: Case) -> tuple[Tensor, Tensor]:
    """An input, not of zero mean, and an output gradient."""
    input = case._arranged(case.input(torch.float32).detach() + 1)
    return input, case.output_gradient(case.torch_layer(torch.float32)(input))


def assert_near(actual: Tensor, expected: Tensor) -> None:
    assert actual.dtype == torch.float32 and actual.shape == expected.shape
    largest = max(float(expected.abs().max()), 1.0)
    assert float((actual - expected).abs().max()) <= ROUNDING * largest


def applies(case: Case) -> bool:
    return correlation.applies(blocks_of(tuple(case.input_shape[2:])), case.geometry)


@settings(DRAWN, max_examples=120)
@given(cases(max_pixels=200), st.sampled_from([0, 40, 2**18]))
def test_all_coefficients_give_the_exact_gradient(case: Case, room: int) -> None:
    input, delta = images(case)
    every = torch.arange(blocks_of(tuple(case.input_shape[2:])).size, dtype=torch.int16)
    with small_parts(room):
        for direct in (False, True):
            assert_near(gradient(case, input, delta, every, direct), torch_s(case, input, delta))


LARGE = {
    "several blocks": conv_case((3, 4, 24, 16), 6, 3, padding=1),
    "strided": conv_case((2, 4, 16, 32), 3, 5, padding=2, stride=2),
    "dilated groups": conv_case((2, 6, 16, 24), 4, 3, padding=2, dilation=2, groups=2),
    "depthwise": conv_case((2, 5, 32, 16), 5, 3, padding=1, groups=5),
    "pointwise": conv_case((3, 7, 16, 16), 5, 1),
    "patches": conv_case((2, 3, 32, 32), 4, 8, stride=8),
    "channels last": conv_case((2, 4, 24, 24), 6, 3, padding=1, channels_last=True),
    "one image": conv_case((1, 6, 32, 32), 4, 3, padding=1),
    "1d": conv_case((3, 4, 128), 3, 9, padding=4),
    "3d": conv_case((2, 3, 8, 8, 16), 2, 3, padding=1),
}


@pytest.mark.parametrize("at_once", [False, True], ids=["side after side", "at once"])
@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("case", LARGE.values(), ids=LARGE)
def test_both_ways_to_correlate(case: Case, size: int, at_once: bool) -> None:
    """A few of the frequencies too, in any order; some images and channels at a time."""
    assert applies(case)
    input, delta = images(case)
    blocks = blocks_of(tuple(case.input_shape[2:]))
    order = torch.randperm(blocks.size, generator=torch.Generator().manual_seed(0)).short()
    with ExitStack() as stack:
        stack.enter_context(small_parts(0))
        stack.enter_context(mock.patch.object(correlation, "_is_at_once", return_value=at_once))
        stack.enter_context(mock.patch.object(correlation, "images_at_a_time", return_value=size))
        assert_near(gradient(case, input, delta, order, True), torch_s(case, input, delta))
        few = order[:7]
        expected = gradient(case, input, delta, few, False)
        assert_near(gradient(case, input, delta, few, True), expected)
    assert not torch.allclose(expected.double(), torch_s(case, input, delta))


def test_each_way_is_taken() -> None:
    """Or the tests above might try one of them only; correlating where little is kept."""
    case = LARGE["several blocks"]
    wide = conv_case((8, 64, 16, 16), 64, 3, padding=1)
    blocks, layout = blocks_of((16, 16)), Layout.of(wide.input())
    shapes = torch.Size((64, 64, 3, 3)), torch.Size((8, 64, 16, 16))
    assert correlation.costs_less(blocks, 8, wide.geometry, layout, *shapes)
    assert not correlation.costs_less(blocks, 250, wide.geometry, layout, *shapes)
    large = Layout(torch.Size((16, 256, 14, 14)), torch.float32, torch.device("cpu"))
    shapes, blocks = (torch.Size((256, 256, 3, 3)), large.shape), blocks_of((14, 14))
    assert correlation.costs_less(blocks, 17, wide.geometry, large, *shapes)
    assert not correlation.costs_less(blocks, 79, wide.geometry, large, *shapes)  # half a bit
    assert applies(case) and not applies(conv_case((1, 1, 17, 17), 1, 3))
    assert not applies(conv_case((1, 1, 16, 16), 1, 3, padding=1, padding_mode="reflect"))
    assert not applies(conv_case((1, 1, 16, 16), 1, 3, transposed=True))


def test_parts_are_the_whole_input_once() -> None:
    for shape in ((5, 7, 9, 9), (1, 64, 20, 20), (64, 1, 4, 4), (3, 2, 100), (2, 5, 4, 6, 7)):
        for room in (0, 100, 2**18):
            seen = torch.zeros(shape, dtype=torch.int64)
            with small_parts(room):
                for images, channels in parts_of(Layout.of(seen)):
                    for some in channels:
                        seen[images, some] += 1
                    assert len(channels) == 1 or images.stop - images.start == 1
            assert seen.eq(1).all()


def estimates(case: Case, bits: float, room: int) -> tuple[Tensor, Tensor]:
    """Return the results of ``SEEDS`` calls with the nominal plan, and the exact gradient."""
    layer = case.torch_layer()
    input = (case.input().detach() + 1).requires_grad_()
    delta = case.output_gradient(layer(input))
    (expected,) = torch.autograd.grad(layer(input), layer.weight, delta)
    names = ("stride", "padding", "dilation", "groups")
    options = {name: getattr(case, name) for name in names}
    if case.transposed:
        options["output_padding"] = case.output_padding
    else:
        options["padding_mode"] = case.padding_mode
    call = functional.conv_transpose if case.transposed else functional.conv
    samples = []
    torch.manual_seed(0)
    with small_parts(room):
        for _ in range(SEEDS):
            output = call(input, layer.weight, **options, bits=bits)
            samples += torch.autograd.grad(output, layer.weight, delta)
    return torch.stack(samples), expected


@pytest.mark.parametrize(
    ("case", "bits", "room"),
    [
        (conv_case((2, 2, 7, 6), 2, 3, padding=1, stride=2, padding_mode="reflect"), 1.0, 0),
        (conv_case((3, 4, 20), 2, 3, padding=2, dilation=2, groups=2), 0.5, 2**18),
        (conv_case((2, 3, 4, 5), 2, 3, stride=2, padding=1, transposed=True), 0.3, 2**18),
        (conv_case((2, 2, 8, 8), 3, 2, padding="same", padding_mode="circular"), 3.0, 2**18),
    ],
    ids=["strided, reflect", "1d", "transposed", "circular"],
)
def test_the_mean_over_seeds_is_the_exact_gradient(case: Case, bits: float, room: int) -> None:
    """Rounded and sampled coefficients, some of the images and channels at a time or all."""
    samples, expected = estimates(case, bits, room)
    check_mean(samples, expected)
    assert samples.std(0).max() > 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("mode", ["zeros", "circular"])
def test_half_precision_does_not_overflow(mode: str, dtype: torch.dtype) -> None:
    """Not even where the input is near the largest number there is: x̂ may be larger."""
    input = torch.randn(4, 2, 32, 32, generator=torch.Generator().manual_seed(0)).sign() * 60000
    weight = torch.ones(1, 2, 1, 1, dtype=dtype, requires_grad=True)
    output = functional.conv(
        input.to(dtype), weight * 1e-3, padding=1, padding_mode=mode, bits=0.25
    )
    output.backward(torch.full_like(output, 1e-4))
    assert weight.grad is not None and weight.grad.isfinite().all()


def test_what_is_not_finite_shows() -> None:
    """Infinity and NaN reach the gradient, as in torch: a scaler of losses must see them."""
    for wrong in (torch.inf, torch.nan):
        input = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
        input[1, 1, 3, 3] = wrong
        weight = torch.ones(2, 3, 3, 3, requires_grad=True)
        functional.conv(input, weight, bits=0.5).backward(torch.ones(2, 2, 14, 14))
        assert weight.grad is not None and not weight.grad.isfinite().all()
