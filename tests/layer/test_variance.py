"""How far estimates scatter: as the formulas say, hence as one over the number of probes.

A convolution whose kernel covers its whole input has that input as its weight gradient. Its
estimate is x̂ itself, and ``E‖x̂ - x‖²`` has a closed form.
"""

import pytest
import torch
from geometries import Case, conv_case
from statistics_checker import check_mean
from torch import Tensor

from xconv.random import DISTRIBUTIONS
from xconv.schemes import PROBED

SEEDS = 900
CHANNELS, SIDE = 3, 6
PIXELS = SIDE * SIDE
CHANNEL_SIZES = torch.tensor([1.0, 2.0, 0.0], dtype=torch.float64).view(CHANNELS, 1, 1)

every_scheme = pytest.mark.parametrize("scheme", PROBED)
every_distribution = pytest.mark.parametrize("distribution", DISTRIBUTIONS)


def errors(case: Case, input: Tensor, **probing: object) -> Tensor:
    """Estimate less exact weight gradient, for ``SEEDS`` calls: (seeds, *weight)."""
    input = input.detach().requires_grad_()
    layer, exact_layer = case.probed_layer(**probing), case.torch_layer()
    delta = case.output_gradient(layer(input))
    (exact,) = torch.autograd.grad(exact_layer(input), exact_layer.weight, delta)
    torch.manual_seed(0)
    samples = [torch.autograd.grad(layer(input), layer.weight, delta)[0] for _ in range(SEEDS)]
    assert not layer._xconv.falls_back
    return torch.stack(samples) - exact


def expected_errors(scheme: str, probes: int, energies: Tensor, excess: int) -> Tensor:
    """``E‖x̂_c - x_c‖²`` of channels with ``‖x_c‖² = energies``.

    ``excess`` is the fourth moment of a probe's entries less 2: 1 for normal numbers, -1 for signs.
    """
    own, foreign = (PIXELS + excess) * energies, PIXELS * (energies.sum() - energies)
    if scheme == "independent":
        return own / probes
    if scheme == "multi":
        return (own + foreign) / probes
    if probes >= 8 * CHANNELS:
        return own / (probes // CHANNELS)
    return own / 8 + foreign / probes  # 8 of the columns each, 64 / probes of them shared


@every_scheme
@every_distribution
@pytest.mark.parametrize("probes", [16, 32], ids=lambda n: f"{n} probes")
def test_the_scatter_is_what_the_formula_says(scheme: str, distribution: str, probes: int) -> None:
    case = conv_case((1, CHANNELS, SIDE, SIDE), 1, SIDE, bias=False)
    input = case.input().detach() * CHANNEL_SIZES
    scatter = errors(case, input, scheme=scheme, distribution=distribution, probes=probes)
    delta = case.output_gradient(torch.empty(1, 1, 1, 1, dtype=torch.float64)).item()
    squares = scatter.square().sum((1, 3, 4)) / delta**2
    energies = input.square().sum((0, 2, 3))
    excess = {"gaussian": 1, "rademacher": -1}[distribution]
    check_mean(squares, expected_errors(scheme, probes, energies, excess))


CASES = {
    "padded": (conv_case((2, 2, 12, 12), 2, 3, padding=1, bias=False), "rademacher"),
    "strided 1d": (conv_case((2, 2, 150), 2, 5, stride=2, bias=False), "gaussian"),
    "transposed": (
        conv_case((2, 2, 9, 9), 2, 2, stride=2, transposed=True, bias=False),
        "gaussian",
    ),
}


@every_scheme
@pytest.mark.parametrize(("case", "distribution"), CASES.values(), ids=CASES)
def test_four_times_the_probes_a_quarter_of_the_variance(
    case: Case, distribution: str, scheme: str
) -> None:
    """Orthogonal probes from 8 columns a channel on; below, each channel uses 8 of any number."""
    few, many = (
        errors(case, case.input(), scheme=scheme, distribution=distribution, probes=probes)
        .flatten(1)
        .square()
        .sum(1, keepdim=True)
        for probes in (16, 64)
    )
    check_mean(few - 4 * many, 0.0)
    with pytest.raises(AssertionError, match="standard errors"):
        check_mean(few - 2 * many, 0.0)  # 1/√r would be noticed


@pytest.mark.parametrize("probes", [3, 8, 24])
def test_channels_with_columns_of_their_own_do_not_interfere(probes: int) -> None:
    """A channel of zeros gets a gradient of zero from orthogonal probes if there are enough."""
    case = conv_case((1, CHANNELS, SIDE, SIDE), 1, SIDE, bias=False)
    input = case.input().detach() * CHANNEL_SIZES
    scatter = errors(case, input, scheme="orthogonal", probes=probes)
    assert scatter[:, :, -1].any() == (probes < 8 * CHANNELS)
