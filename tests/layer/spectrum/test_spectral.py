"""The spectral scheme as a layer: the mean of its gradients, its bytes, where it stays exact."""

from functools import cache
from math import prod
from typing import Any

import pytest
import torch
from geometries import DRAWN, Case, cases, conv_case
from hypothesis import given, settings
from statistics_checker import check_mean
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

import xconv
from xconv.schemes import spectral
from xconv.spectrum.blocks import blocks_of
from xconv.spectrum.plan import nominal_plan
from xconv.spectrum.rounding import rotation

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same'")

SEEDS = 900
CASES = {
    "2d, blocks over the edge": conv_case((2, 4, 17, 8), 4, 3, stride=2, groups=2, bias=False),
    "1d, circular": conv_case((3, 2, 64), 3, 4, padding=3, dilation=2, padding_mode="circular",
                              bias=False),
    "3d, correlated": conv_case((2, 4, 4, 8, 4), 2, 2, padding=1, bias=False),
    "transposed": conv_case((2, 2, 8, 9), 2, 3, stride=2, padding=1, transposed=True, bias=False),
}  # fmt: skip


def images(case: Case) -> Tensor:
    """Not of zero mean, as activations are: borders weigh more."""
    return (case.input().detach() + 1).requires_grad_()


def exact_gradient(case: Case) -> Tensor:
    layer = case.torch_layer()
    output = layer(images(case))
    (gradient,) = torch.autograd.grad(output, layer.weight, case.output_gradient(output))
    return gradient


@cache
def rotation_of(seed: int) -> Tensor:
    """The scheme's, which takes most of the time of a small layer: once for all cases."""
    return rotation(torch.tensor(seed))


@cache
def estimates(case: Case) -> Tensor:
    """Weight gradients of calls of a layer, (seeds, *weight): plans are renewed on the way."""
    layer, input = case.probed_layer(scheme="spectral", bits=1.2), images(case)
    gradient = case.output_gradient(layer(input))
    samples = []
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spectral, "rotation", lambda seed: rotation_of(int(seed)))
        for _ in range(SEEDS):
            samples += torch.autograd.grad(layer(input), layer.weight, gradient)
    assert not layer._xconv.falls_back and layer._xconv.member.plan is not None
    return torch.stack(samples)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_mean_over_seeds_is_the_exact_gradient(case: Case) -> None:
    check_mean(estimates(case), exact_gradient(case))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_wrong_scale_would_be_caught(case: Case) -> None:
    with pytest.raises(AssertionError, match="standard errors"):
        check_mean(0.8 * estimates(case), exact_gradient(case))


def kept_bytes(layer: nn.Module, input: Tensor) -> int:
    """Bytes of the distinct storages that a call saves, parameters apart."""
    saved: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        saved.append(tensor)
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        layer(input)
    sizes = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in saved}
    for parameter in layer.parameters():
        sizes.pop(parameter.untyped_storage().data_ptr(), None)
    return sum(sizes.values())


def train(layer: nn.Module, input: Tensor, steps: int) -> None:
    for _ in range(steps):
        layer(input).square().sum().backward()


def layer_for(input: Tensor, **probing: Any) -> nn.Module:
    """A convolution of the dimensions of ``input`` to eight channels."""
    family = (xconv.XConv1d, xconv.XConv2d, xconv.XConv3d)[input.dim() - 3]
    torch.manual_seed(0)
    return family(input.shape[1], 8, 3, padding=1, dtype=input.dtype, **probing)


SHAPES = [
    (4, 32, 16, 16), (1, 64, 16, 16), (2, 128, 8, 8), (8, 29, 9, 8), (4, 15, 17, 17),
    (2, 11, 33, 31), (1, 3, 75, 75), (16, 16, 64), (5, 3, 1100), (4, 64, 65), (2, 12, 9, 9, 9),
    (4, 64, 4, 4, 4), (1, 4, 16, 16, 16),
]  # fmt: skip
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
DIALS = (0.1, 0.25, 0.5, 1.0, 3.0)


@every_shape
def test_bytes_are_at_most_three_percent_more_than_the_bits(shape: tuple[int, ...]) -> None:
    """Seed, indices, scales and pixels beyond the edge included, once something has been seen."""
    input = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    assert prod(shape) >= 2**14 and prod(shape[2:]) >= 64
    for bits in DIALS:
        layer = layer_for(input, bits=bits)
        train(layer, input, 2)
        kept = kept_bytes(layer, input)
        assert kept <= 1.03 * bits * input.numel() / 8, f"{bits} bits"
        assert kept >= 0.7 * bits * input.numel() / 8, f"{bits} bits"


@every_shape
def test_the_first_call_has_seed_and_indices_besides(shape: tuple[int, ...]) -> None:
    """Two bytes a frequency; a plan for any number of images cannot reckon with them."""
    input = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    for bits in DIALS:
        plan = nominal_plan(blocks_of(shape[2:]), bits)
        filling = sum(b for b, n in zip((1, 2, 3, 4, 8), plan.counts, strict=True) if n) * 8
        besides = 8 + 4 + 2 * plan.kept + filling
        kept = kept_bytes(layer_for(input, bits=bits), input)
        assert kept <= 1.03 * bits * input.numel() / 8 + besides, f"{bits} bits"


def test_what_is_kept() -> None:
    """Seed, bytes, and an index of 16 bits for each kept frequency: nothing of the input's."""
    layer = layer_for(torch.empty(4, 32, 16, 16), bits=0.5)
    saved: list[Tensor] = []
    with saved_tensors_hooks(lambda t: (saved.append(t), t)[1], lambda t: t):
        layer(torch.rand(4, 32, 16, 16))
    weight, seed, packed, *classes = saved
    assert weight is layer.weight or weight.data_ptr() == layer.weight.data_ptr()
    assert seed.dtype == torch.int64 and seed.dim() == 0 and packed.dtype == torch.uint8
    assert all(part.dtype == torch.int16 for part in classes)
    assert [len(part) for part in classes] == list(nominal_plan(blocks_of((16, 16)), 0.5).counts)


@settings(DRAWN, max_examples=60)
@given(cases(max_pixels=300))
def test_never_more_than_the_input(case: Case) -> None:
    """With few bits or most: where it would be no smaller, the input is kept and named so."""
    for bits, dtype in ((0.5, torch.float32), (8, torch.float16)):
        layer = case.probed_layer(dtype, scheme="spectral", bits=bits)
        kept = kept_bytes(layer, case.input(dtype))
        if not layer._xconv.falls_back:
            assert kept < case.input(dtype).nbytes


@pytest.mark.parametrize("pixels", [(1, 1), (1, 3), (3,), (1, 1, 2)], ids=str)
def test_small_maps_are_exact_and_the_account_says_so(pixels: tuple[int, ...]) -> None:
    input = torch.randn(64, 32, *pixels, generator=torch.Generator().manual_seed(0))
    layer, theirs = layer_for(input, bits=0.5), layer_for(input, probes=0)
    (entry,) = xconv.account(layer)
    assert entry.swapped and entry.reason == "spectral, 0.5 bits an element"
    train(layer, input, 1)
    train(theirs, input, 1)
    torch.testing.assert_close(layer.weight.grad, theirs.weight.grad, rtol=0, atol=0)
    (entry,) = xconv.account(layer)
    assert not entry.swapped
    assert entry.reason == f"maps of {prod(pixels)} pixels are too small: exact gradient"


def test_maps_of_four_pixels_are_not_too_small() -> None:
    input = torch.randn(64, 32, 2, 2, generator=torch.Generator().manual_seed(0))
    layer = layer_for(input, bits=1)
    train(layer, input, 3)
    assert xconv.account(layer)[0].swapped
    assert kept_bytes(layer, input) <= 1.03 * input.numel() / 8


def test_smooth_images_have_far_less_error_than_white_noise() -> None:
    """At the same bits; what the transform is for."""

    def error(input: Tensor) -> float:
        layer, theirs = layer_for(input, bits=0.5), layer_for(input, probes=0)
        train(layer, input, 2)
        layer.zero_grad()
        train(layer, input, 1)
        train(theirs, input, 1)
        difference = layer.weight.grad - theirs.weight.grad
        return float((difference.norm() / theirs.weight.grad.norm()) ** 2)

    noise = torch.randn(8, 16, 32, 32, generator=torch.Generator().manual_seed(0))
    smooth = nn.functional.interpolate(noise[..., :5, :5], (32, 32), mode="bicubic")
    assert error(smooth) < 0.01 * error(noise)


def test_values_that_are_not_finite_are_not_hidden() -> None:
    input = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    input[1, 2, 3, 4] = float("nan")
    layer = layer_for(input, bits=0.5)
    layer(input).nan_to_num().sum().backward()
    assert not layer.weight.grad.isfinite().all()


def test_large_and_small_inputs_have_the_same_relative_error() -> None:
    input = torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    found = []
    for size in (1.0, 1e-25, 1e25):
        layer = layer_for(input, bits=0.5)
        torch.manual_seed(3)
        layer(size * input).sum().backward()
        found.append(layer.weight.grad.double() / size)
    torch.testing.assert_close(found[1], found[0], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(found[2], found[0], rtol=1e-3, atol=1e-3)
