"""Gradients of normalisations are unbiased, the input's by subtracting a known term."""

from unittest import mock

import pytest
import torch
from layer_cases import gradients
from norm_cases import Norm
from statistics_checker import check_mean
from torch import Tensor, nn

import xconv
from xconv.saved.stand_in import StandIn
from xconv_bench.models.torchvision_shim import import_torchvision

SEEDS = 1000
SMALL = {
    "BatchNorm2d": Norm(nn.BatchNorm2d, (8,), (2, 8, 3, 4)),
    "InstanceNorm2d": Norm(nn.InstanceNorm2d, (16,), (2, 16, 2, 3), {"affine": True}),
    "GroupNorm": Norm(nn.GroupNorm, (4, 16), (2, 16, 2, 3)),
    "LayerNorm": Norm(nn.LayerNorm, (6,), (40, 6)),
    "RMSNorm": Norm(nn.RMSNorm, (6,), (40, 6)),
}
"""Few numbers share statistics, so that a bias of one over their number shows."""


def samples_of(norm: Norm, layer: nn.Module) -> list[Tensor]:
    """Gradients of input and parameters, of many seeds each."""
    torch.manual_seed(0)
    steps = [norm.step(layer)[1:] for _ in range(SEEDS)]
    return [torch.stack(each) for each in zip(*steps, strict=True)]


@pytest.mark.parametrize(
    ("name", "norm_bits"), [*((name, 1) for name in SMALL), ("BatchNorm2d", 4)]
)
def test_the_mean_over_seeds_is_the_exact_gradient(name: str, norm_bits: int) -> None:
    norm = SMALL[name]
    exact, layer = norm.pair(norm_bits)
    samples = samples_of(norm, layer)
    for found, expected in zip(samples, norm.step(exact)[1:], strict=True):
        check_mean(found, expected)


@pytest.mark.parametrize("name", ["BatchNorm2d", "GroupNorm", "LayerNorm"])
def test_without_the_term_the_input_s_gradient_is_biased(name: str) -> None:
    """Or the test above would show nothing: one of each way to share statistics."""
    norm = SMALL[name]
    exact, layer = norm.pair(1)

    def nothing(kept: StandIn, part: int) -> Tensor:
        return torch.zeros(kept.sizes[part])

    with mock.patch.object(StandIn, "variances", nothing):
        of_input, of_weight, *_ = samples_of(norm, layer)
    expected = norm.step(exact)
    check_mean(of_weight, expected[2])
    with pytest.raises(AssertionError, match="standard errors away"):
        check_mean(of_input, expected[1])


def test_a_scale_that_learns_in_evaluation() -> None:
    norm = SMALL["BatchNorm2d"]
    exact, layer = (each.eval() for each in norm.pair(1))
    of_input, of_weight, of_bias = samples_of(norm, layer)
    expected = norm.step(exact)
    check_mean(of_weight, expected[2])
    for found, gradient in ((of_input, expected[1]), (of_bias, expected[3])):
        torch.testing.assert_close(found, gradient.expand_as(found))


def test_the_error_of_a_slice_of_resnet18_falls_with_the_bits() -> None:
    """All else is exact. Energies of errors relative to the gradient's, of all weights together:
    0.0022, 0.054 and 0.52 were measured."""
    torch.manual_seed(0)
    whole = import_torchvision().models.resnet18()
    model = nn.Sequential(whole.conv1, whole.bn1, whole.relu, whole.maxpool, whole.layer1)
    x = torch.randn(8, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    exact = gradients(model, x)
    for bits, limit in ((4, 0.004), (2, 0.1), (1, 1.0)):
        found = gradients(xconv.convert(model, compress=["norm"], norm_bits=bits), x)
        off = sum(float((found[name] - exact[name]).square().sum()) for name in exact)
        error = off / sum(float(g.square().sum()) for g in exact.values())
        assert limit / 20 < error < limit
