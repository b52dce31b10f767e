"""Averaged over seeds the estimate is the exact weight gradient, borders included."""

from functools import cache
from itertools import cycle
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from complete_probes import WAYS
from geometries import Case, conv_case
from layer_cases import how
from statistics_checker import check_mean
from torch import Tensor

from xconv.schemes import PROBED, SCHEMES

SEEDS = 1000

CASES = {
    "zeros": conv_case((2, 3, 6, 5), 2, 3, padding=1, bias=False),
    "reflect": conv_case((2, 2, 5, 6), 2, 3, padding=2, padding_mode="reflect", bias=False),
    "circular": conv_case((2, 2, 6, 5), 2, 3, padding="same", padding_mode="circular", bias=False),
    "strided": conv_case((2, 2, 7, 8), 2, 3, padding=1, stride=2, bias=False),
    "dilated groups": conv_case((2, 4, 7, 6), 4, 2, padding="same", dilation=2, groups=2,
                                bias=False),
    "1d": conv_case((3, 2, 20), 3, 4, padding=3, bias=False),
    "3d": conv_case((2, 2, 3, 4, 4), 2, 2, padding=1, bias=False),
    "transposed": conv_case((2, 3, 4, 5), 2, 3, stride=2, padding=1, transposed=True, bias=False),
}  # fmt: skip


EVERY_WAY = {name: {"probes": 12} | way for name, way in WAYS.items()} | {
    scheme: how(scheme) for scheme in SCHEMES if scheme not in PROBED
}
every_way_to_probe = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
every_way = pytest.mark.parametrize("way", EVERY_WAY.values(), ids=EVERY_WAY)

PAIRS = [(way, "zeros") for way in EVERY_WAY]
PAIRS += zip(cycle(WAYS), [name for name in CASES if name != "zeros"], strict=False)
"""Each way and each geometry: that probes and geometries do not meddle with each other is the
subject of ``test_exactness``; more geometries of the other schemes are in ``test_rebuilt_schemes``
and ``test_spectral_gradient``."""


def exact_gradient(case: Case) -> Tensor:
    layer = case.torch_layer()
    output = layer(images(case))
    (gradient,) = torch.autograd.grad(output, layer.weight, case.output_gradient(output))
    return gradient


def images(case: Case) -> Tensor:
    """Not of zero mean, as activations are: borders weigh more."""
    return (case.input().detach() + 1).requires_grad_()


@cache
def estimates(case: Case, dtype: torch.dtype = torch.float64, **probing: object) -> Tensor:
    """Weight gradients of ``SEEDS`` calls of a layer, (seeds, *weight)."""
    layer = case.probed_layer(dtype, **probing)
    input = images(case).detach().to(dtype).requires_grad_()
    gradient = case.output_gradient(layer(input).double()).to(dtype)
    samples = []
    torch.manual_seed(0)
    for _ in range(SEEDS):
        samples += torch.autograd.grad(layer(input), layer.weight, gradient)
    assert not layer._xconv.falls_back
    return torch.stack(samples)


@pytest.mark.parametrize(("way", "name"), PAIRS, ids=str)
def test_the_mean_over_seeds_is_the_exact_gradient(way: str, name: str) -> None:
    """A wrong scale would be caught."""
    case = CASES[name]
    samples = estimates(case, **EVERY_WAY[way])
    check_mean(samples, exact_gradient(case))
    with pytest.raises(AssertionError, match="standard errors"):
        check_mean(0.8 * samples, exact_gradient(case))


@pytest.mark.parametrize(
    ("way", "probes", "distribution"),
    [
        (way, probes, ("rademacher", "gaussian")[(i + j) % 2])
        for i, way in enumerate(WAYS)
        for j, probes in enumerate((1, 20, 33))
    ],
    ids=str,
)
def test_any_number_of_probes_will_do(way: str, probes: int, distribution: str) -> None:
    """Orthogonal probes of 3 channels overlap up to 8 columns and do not above.

    Either distribution with each way and each number; ``test_probes`` has all of them.
    """
    case = conv_case((1, 3, 6, 6), 1, 3, padding=1, bias=False)
    samples = estimates(case, probes=probes, distribution=distribution, **WAYS[way])
    check_mean(samples, exact_gradient(case))


@every_way_to_probe
def test_so_it_is_where_the_sketch_is_rounded_to_16_bits(way: dict[str, Any]) -> None:
    """The same layer in float32."""
    case = CASES["zeros"]
    samples = estimates(case, torch.float32, probes=12, **way)
    assert samples.dtype == torch.float32
    check_mean(samples.double(), exact_gradient(case))


def rolled_gradient(case: Case) -> Tensor:
    """Shift the flattened image: rows run into one another at the borders."""
    x, delta = images(case).detach(), case.output_gradient(case.torch_layer()(case.input()))
    width = x.shape[-1]
    flat_x, flat_delta = x.flatten(2), delta.flatten(2)
    offsets = [dy * width + dx for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    taps = [torch.einsum("bcp,bop->oc", flat_x.roll(-o, 2), flat_delta) for o in offsets]
    return torch.stack(taps, -1).unflatten(-1, (3, 3))


def without_last_row(case: Case) -> Tensor:
    """Cut the image one pixel short before it is padded."""
    x = images(case).detach()
    return torch.nn.grad.conv2d_weight(
        F.pad(x[..., :-1, :], (0, 0, 0, 1)),
        (2, 3, 3, 3),
        case.output_gradient(case.torch_layer()(case.input())),
        padding=1,
    )


@every_way
def test_a_bias_at_the_borders_would_be_caught(way: dict[str, Any]) -> None:
    """The same noise about a wrong mean."""
    case = CASES["zeros"]
    samples = estimates(case, **way)
    for wrong in (rolled_gradient, without_last_row):
        with pytest.raises(AssertionError, match="standard errors"):
            check_mean(samples + wrong(case) - exact_gradient(case), exact_gradient(case))
