"""The bytes that a probed layer keeps for its backward pass: the sketch, the seed, parameters."""

import weakref
from math import prod
from typing import Any

import pytest
import torch
from complete_probes import WAYS
from geometries import DRAWN, Case, cases, conv_case
from hypothesis import assume, given, settings
from layer_cases import kept_bytes
from torch import nn

import xconv

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same'")

SEED_BYTES = 8
CASES = {
    "zeros": conv_case((4, 6, 9, 8), 5, 3, padding=1),
    "same, even": conv_case((4, 6, 9, 8), 5, 4, padding="same"),
    "reflect": conv_case((4, 6, 9, 8), 5, 3, padding=2, padding_mode="reflect"),
    "replicate": conv_case((4, 6, 9, 8), 5, 3, padding=2, padding_mode="replicate"),
    "circular": conv_case((4, 6, 9, 8), 5, 3, padding=2, padding_mode="circular"),
    "channels last": conv_case((4, 6, 9, 8), 5, 3, stride=2, channels_last=True),
    "depthwise": conv_case((4, 6, 9, 8), 6, 3, groups=6),
    "1d": conv_case((4, 6, 70), 5, 3),
    "3d": conv_case((4, 6, 4, 5, 4), 5, 3, padding=1),
    "transposed": conv_case((4, 6, 9, 8), 5, 3, stride=2, transposed=True),
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def sketch_bytes(case: Case, way: dict[str, Any], probes: int, size: int = 8) -> int:
    """Return the bytes that the paper stores, ``size`` bytes a number.

    The means of channels take four bytes at least.
    """
    batch, channels = case.input_shape[:2]
    if way["scheme"] != "independent":
        return size * batch * probes
    means = 0 if "shared" in way else max(size, 4)
    return batch * channels * (size * probes + means)


@every_case
@every_way
def test_a_layer_keeps_its_sketch_and_its_seed(way: dict[str, Any], case: Case) -> None:
    layer = case.probed_layer(probes=5, **way)
    assert kept_bytes(layer, case.input()) == sketch_bytes(case, way, 5) + SEED_BYTES


@every_way
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_sketches_take_16_bits(dtype: torch.dtype, way: dict[str, Any]) -> None:
    """But those of float64, of which all digits count."""
    case = CASES["zeros"]
    layer = case.probed_layer(dtype, probes=5, **way)
    assert kept_bytes(layer, case.input(dtype)) == sketch_bytes(case, way, 5, 2) + SEED_BYTES


@settings(DRAWN, max_examples=80)
@given(cases())
def test_so_does_one_of_any_geometry(case: Case) -> None:
    assume(prod(case.input_shape[1:]) > 3)
    layer = case.probed_layer(scheme="multi", probes=3)
    assert kept_bytes(layer, case.input()) == sketch_bytes(case, WAYS["multi"], 3) + SEED_BYTES


@every_case
@every_way
def test_a_sketch_as_large_as_the_input_is_not_made(way: dict[str, Any], case: Case) -> None:
    """Then the input is kept, as torch keeps it, and the gradient is torch's."""
    single = way["scheme"] == "independent"
    probes = prod(case.input_shape[2 if single else 1 :]) - (way == WAYS["independent"])
    layer, theirs = case.probed_layer(probes=probes, **way), case.torch_layer()
    assert kept_bytes(layer, case.input()) == kept_bytes(theirs, case.input())
    assert layer._xconv.falls_back
    delta = case.output_gradient(theirs(case.input()))
    layer(case.input()).backward(delta)
    theirs(case.input()).backward(delta)
    torch.testing.assert_close(layer.weight.grad, theirs.weight.grad, rtol=0, atol=0)
    smaller = case.probed_layer(probes=probes - 1, **way)
    assert kept_bytes(smaller, case.input()) == sketch_bytes(case, way, probes - 1) + SEED_BYTES


@every_case
def test_nothing_is_kept_for_a_weight_that_needs_no_gradient(case: Case) -> None:
    layer, theirs = case.probed_layer(), case.torch_layer()
    layer.weight.requires_grad_(False)
    theirs.weight.requires_grad_(False)
    assert kept_bytes(layer, case.input()) == 0
    input, output = case.input(), layer(case.input())
    (ours,) = torch.autograd.grad(layer(input), input, case.output_gradient(output))
    (exact,) = torch.autograd.grad(theirs(input), input, case.output_gradient(output))
    torch.testing.assert_close(ours, exact)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_nothing_is_kept_where_there_is_no_backward_pass(mode: Any) -> None:
    case = CASES["zeros"]
    with mode():
        assert kept_bytes(case.probed_layer(), case.input()) == 0


@every_case
@every_way
def test_input_and_output_are_freed_when_the_caller_lets_go(
    way: dict[str, Any], case: Case
) -> None:
    """The padded copy too: nothing larger than the sketch is alive but what is still named."""
    layer = case.probed_layer(probes=2, **way)
    input = case.input().detach() + 0
    alive = weakref.ref(input.untyped_storage())
    output = layer(input)
    del input
    assert alive() is None
    alive = weakref.ref(output.untyped_storage())
    loss = output.sum()
    del output
    assert alive() is None
    loss.backward()
    assert layer.weight.grad is not None


def test_a_torch_layer_does_keep_its_input() -> None:
    """Or the test above could not fail."""
    case = CASES["zeros"]
    input = case.input().detach() + 0
    alive = weakref.ref(input.untyped_storage())
    output = case.torch_layer()(input)
    del input
    assert output.requires_grad and alive() is not None


def test_in_a_row_of_layers_only_sketches_and_bits_remain() -> None:
    """Convolution, ReLU, convolution: neither keeps the activation between them for the other."""
    net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 3, padding=1))
    xconv.convert(net, probes=4, first="compressed")
    sketches = (2 * 4 + 4) * 2 * (3 + 8) + 2 * SEED_BYTES
    assert kept_bytes(net, torch.randn(2, 3, 16, 16)) == sketches + 2 * 8 * 16 * 16 // 8
