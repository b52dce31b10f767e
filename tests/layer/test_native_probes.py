"""Independent probes of signs by the kernels in C: what torch's operators find, to rounding.

Both draw the same probes. Sums are in another order, so a number of the sketch may be rounded to
its other neighbour in bfloat16; an estimate is held against operators in float64, from the same
sketch.
"""

from typing import Any
from unittest import mock

import pytest
import torch
from geometries import DRAWN, Case, cases, conv_case
from hypothesis import given
from native_cases import needs_compiler, switched, threads
from torch import Tensor

from xconv import XConv2d
from xconv.geometry import pixels
from xconv.layout import Layout
from xconv.native import probes
from xconv.native.probes import DrawTable, SignProbes
from xconv.probing import Probing, estimate_gradient, keep
from xconv.schemes import SCHEMES, signs

pytestmark = needs_compiler

SEED = torch.tensor(2**61 + 12345)
BY_ROWS = {
    "one image": conv_case((1, 16, 14, 14), 16, 3, padding=1),
    "odd sizes": conv_case((3, 5, 9, 11), 7, 3, padding=1),
    "channels last": conv_case((3, 5, 9, 11), 17, 3, padding=1, channels_last=True),
    "many channels": conv_case((2, 40, 12, 12), 35, 3, padding=1),
    "many channels last": conv_case((2, 40, 12, 12), 35, 3, padding=1, channels_last=True),
    "stride": conv_case((2, 3, 40, 44), 8, 7, stride=2, padding=3),
    "dilation": conv_case((2, 8, 30, 31), 4, 5, stride=2, dilation=2, padding=2),
    "one pixel": conv_case((2, 8, 20, 20), 20, 1),
    "groups": conv_case((2, 6, 12, 9), 6, 3, padding=1, groups=3),
    "line": conv_case((2, 4, 900), 5, 3, padding=1),
    "volume": conv_case((2, 4, 6, 7, 8), 5, 3, padding=1),
    "border": conv_case((2, 4, 16, 16), 5, 3, padding=1, padding_mode="reflect"),
    "larger than a piece": conv_case((1, 1, 300, 301), 1, 3, padding=1),
}
PROBINGS = (Probing(1), Probing(8), Probing(11, shared=True), Probing(32))


def kept_by(case: Case, probing: Probing, word: str) -> tuple[Tensor, ...]:
    """Return what is kept of the case's input with kernels "on" or "off"."""
    layer, input = case.torch_layer(torch.float32), case.input(torch.float32).detach()
    shapes = layer.weight.shape, layer(input).shape
    with switched(word), torch.no_grad():
        return keep(input, SEED, probing, Layout.of(input), *shapes)


def estimate_by(case: Case, probing: Probing, kept: Any, word: str, dtype: torch.dtype) -> Tensor:
    """Return the estimate from what was ``kept``, computed in ``dtype``."""
    layer, input = case.torch_layer(torch.float32), case.input(torch.float32).detach()
    gradient = case.output_gradient(layer(input).detach()).to(dtype)
    layout, weight = Layout.of(input.to(dtype)), layer.weight.to(dtype)
    with switched(word), torch.no_grad():
        return estimate_gradient(kept, gradient, case.geometry, probing, layout, weight, dtype)


def assert_agrees(case: Case, probing: Probing, error: float = 1e-5) -> None:
    """Hold kernels against operators; an estimate may have a relative ``error``."""
    (seed, *ours), (_, *theirs) = (kept_by(case, probing, word) for word in ("on", "off"))
    for own, other in zip(ours, theirs, strict=True):
        assert (own.dtype, own.stride()) == (other.dtype, other.stride())
        rounding = 2.0**-7 if own.dtype == torch.bfloat16 else 1e-5
        scale = float(other.float().abs().amax())
        torch.testing.assert_close(own.float(), other.float(), rtol=rounding, atol=1e-5 * scale)
    estimate = estimate_by(case, probing, [seed, *ours], "on", torch.float32)
    exactly = [seed, *(part.double() for part in ours)]
    expected = estimate_by(case, probing, exactly, "off", torch.float64)
    assert (estimate.double() - expected).norm() <= error * expected.norm()
    operators = estimate_by(case, probing, [seed, *ours], "off", torch.float32)
    assert estimate.stride() == operators.stride()


@pytest.mark.parametrize("probing", PROBINGS, ids=lambda probing: f"{probing.probes}")
@pytest.mark.parametrize("name", BY_ROWS)
def test_kernels_agree_with_operators(name: str, probing: Probing) -> None:
    assert_agrees(BY_ROWS[name], probing)


@DRAWN
@given(cases())
def test_kernels_agree_for_every_geometry(case: Case) -> None:
    assert_agrees(case, Probing(8))


@pytest.mark.parametrize("shared", [False, True])
def test_probes_in_several_parts_are_those_of_operators(shared: bool) -> None:
    """Columns of one image come in parts where all would take more memory than the layer's own."""
    case, probing = conv_case((3, 1, 400, 400), 1, 3, padding=1), Probing(32, shared=shared)
    layer, layout = case.torch_layer(), Layout.of(case.input())
    parts = list(
        SCHEMES["independent"]._parts(layout, probing, layer.weight.shape, layout.shape)  # type: ignore[attr-defined]
    )
    assert any(part.columns != slice(0, 32) for part in parts)
    assert_agrees(case, probing, 1e-4)  # torch sums as many numbers as an image has pixels


@pytest.mark.parametrize("name", ["many channels", "many channels last"])
def test_kernels_do_not_depend_on_the_number_of_threads(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "_PRODUCTS_OF_A_THREAD", 1)
    case, results = BY_ROWS[name], []
    for count in (1, 3):
        with threads(count):
            kept = kept_by(case, Probing(8), "on")
            gradient = estimate_by(case, Probing(8), kept, "on", torch.float32)
        results.append((*kept, gradient))
    for own, other in zip(*results, strict=True):
        assert torch.equal(own, other)


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_what_is_not_finite_spoils_its_own_channel_only(value: float) -> None:
    case = BY_ROWS["odd sizes"]
    input = case.input(torch.float32).detach()
    input[1, 2, 3, 4] = value
    layer = case.torch_layer(torch.float32)
    found = []
    for word in ("on", "off"):
        with switched(word), torch.no_grad():
            layout, output = Layout.of(input), layer(input)
            kept = keep(input, SEED, Probing(8), layout, layer.weight.shape, output.shape)
            gradient = estimate_gradient(
                kept, case.output_gradient(output), case.geometry, Probing(8), layout,
                layer.weight, torch.float32,
            )  # fmt: skip
        found.append([part.isfinite() for part in (*kept[1:], gradient)])
    for own, other in zip(*found, strict=True):
        assert torch.equal(own, other)
        assert not own.all()


def test_gradients_expanded_from_one_number_are_read_as_such() -> None:
    case = BY_ROWS["odd sizes"]
    layer, input = case.torch_layer(torch.float32), case.input(torch.float32).detach()
    kept, one = kept_by(case, Probing(8), "on"), torch.ones((), dtype=torch.float32)
    found = []
    with switched("on"), torch.no_grad():
        for gradient in (one.expand(layer(input).shape), one.expand(layer(input).shape).clone()):
            found.append(
                estimate_gradient(
                    kept, gradient, case.geometry, Probing(8), Layout.of(input), layer.weight,
                    torch.float32,
                )
            )  # fmt: skip
    assert torch.equal(*found)


def test_kernels_are_used_for_signs_in_float32_only() -> None:
    numbers = torch.zeros(2, 3, 4, 4)
    with switched("on"):
        for values, probing, is_used in (
            (numbers, Probing(8), True),
            (numbers, Probing(8, distribution="gaussian"), False),
            (numbers.double(), Probing(8), False),
            (numbers.transpose(2, 3)[:, :, 1:], Probing(8), False),
        ):
            library = signs.library_of_sketch(Layout.of(values), probing, values)
            assert (library is not None) == is_used


def test_a_table_of_parts_tells_where_their_bits_begin() -> None:
    parts = DrawTable.of([(slice(0, 2), slice(0, 8), 0), (slice(2, 3), slice(0, 8), 1)], 9, False)
    assert parts.table.tolist() == [[0, 2, 0, 8, 0, 0], [2, 3, 0, 8, 1, 3]]
    assert parts.words == 3 + 2
    assert pixels((1, 1, 3, 3)) == parts.pixels


def test_signs_that_would_take_more_than_the_layer_are_drawn_in_parts() -> None:
    """512 probes of one channel: their signs are larger than input and output."""
    layer = XConv2d(1, 1, 3, padding=1, scheme="independent", probes=512)
    input = torch.randn(640, 1, 28, 28, requires_grad=True)
    with switched("on"), mock.patch.object(SignProbes, "__init__", side_effect=AssertionError):
        layer(input).sum().backward()
    assert layer.weight.grad is not None
