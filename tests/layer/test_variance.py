"""Estimates scatter as the formulas say, hence as one over the number of probes.

A convolution whose kernel covers its whole input has that input as its weight gradient. Its
estimate is x̂ itself, and ``E‖x̂ - x‖²`` has a closed form.
"""

from itertools import cycle
from typing import Any

import pytest
import torch
from complete_probes import WAYS, drawn_probes, projected
from geometries import Case, conv_case
from statistics_checker import check_mean
from torch import Tensor

from xconv.layout import Layout
from xconv.probing import Probing
from xconv.random import DISTRIBUTIONS

SEEDS = 900
CHANNELS, SIDE = 3, 6
PIXELS = SIDE * SIDE
CHANNEL_SIZES = torch.tensor([1.0, 2.0, 0.0], dtype=torch.float64).view(CHANNELS, 1, 1)

every_distribution = pytest.mark.parametrize("distribution", DISTRIBUTIONS)


def errors(case: Case, input: Tensor, seeds: int = SEEDS, **probing: object) -> Tensor:
    """Estimate less exact weight gradient, for so many calls: (seeds, *weight)."""
    input = input.detach().requires_grad_()
    layer, exact_layer = case.probed_layer(**probing), case.torch_layer()
    delta = case.output_gradient(layer(input))
    (exact,) = torch.autograd.grad(exact_layer(input), exact_layer.weight, delta)
    torch.manual_seed(0)
    samples = [torch.autograd.grad(layer(input), layer.weight, delta)[0] for _ in range(seeds)]
    assert not layer._xconv.falls_back
    return torch.stack(samples) - exact


def expected_errors(way: dict[str, Any], probes: int, image: Tensor, excess: int) -> Tensor:
    """``E‖x̂_c - x_c‖²`` of the channels of an image (1, C, *pixels).

    ``excess`` is the fourth moment of a probe's entries less 2: 1 for normal numbers, -1 for signs.
    """
    scheme, centred = way["scheme"], way == WAYS["independent"]
    energies = (image - centred * image.mean((2, 3), keepdim=True)).square().sum((0, 2, 3))
    if centred:  # less what would change the mean
        return energies * (PIXELS + (0 if excess == 1 else 2 / PIXELS - 2)) / probes
    own, foreign = (PIXELS + excess) * energies, PIXELS * (energies.sum() - energies)
    if scheme == "independent":
        return own / probes
    if scheme == "multi":
        return (own + foreign) / probes
    columns, more = divmod(probes, CHANNELS)
    share = more / CHANNELS  # of the channels, or of the deals in which a channel has one more
    return own * ((1 - share) / columns + share / (columns + 1))


@every_distribution
@pytest.mark.parametrize(
    ("name", "probes"), [*((name, 16) for name in WAYS), ("orthogonal", 32)], ids=str
)
def test_the_scatter_is_what_the_formula_says(name: str, probes: int, distribution: str) -> None:
    """Orthogonal probes are dealt out: one channel has one more, or two have."""
    way = WAYS[name]
    case = conv_case((1, CHANNELS, SIDE, SIDE), 1, SIDE, bias=False)
    input = (case.input().detach() + 0.5) * CHANNEL_SIZES
    scatter = errors(case, input, distribution=distribution, probes=probes, **way)
    delta = case.output_gradient(torch.empty(1, 1, 1, 1, dtype=torch.float64)).item()
    squares = scatter.square().sum((1, 3, 4)) / delta**2
    excess = {"gaussian": 1, "rademacher": -1}[distribution]
    check_mean(squares, expected_errors(way, probes, input, excess))


@every_distribution
def test_errors_of_images_that_look_alike_average_out(distribution: str) -> None:
    """Four equal images with equal output gradients have four times the variance of one; of images
    that share their probes it is 16 times."""
    variances = []
    for batch, shared in ((1, False), (4, False), (1, True), (4, True)):
        case = conv_case((batch, 2, SIDE, SIDE), 1, SIDE, bias=False)
        layer = case.probed_layer(probes=8, distribution=distribution, shared=shared)
        input = case.input().detach()[:1].expand(batch, -1, -1, -1).contiguous().requires_grad_()
        torch.manual_seed(0)
        samples = []
        for _ in range(SEEDS):
            output = layer(input)
            samples += torch.autograd.grad(output, layer.weight, torch.ones_like(output))
        exact = input.detach().sum(0)
        variances.append((torch.stack(samples) - exact).flatten(1).square().sum(1, keepdim=True))
    one, four, one_shared, four_shared = variances
    check_mean(four - 4 * one, 0.0)
    check_mean(four_shared - 16 * one_shared, 0.0)
    with pytest.raises(AssertionError, match="standard errors"):
        check_mean(four - 16 * one, 0.0)


@pytest.mark.parametrize(
    ("channels", "probes"),
    [(8, 9), (8, 12), (8, 20), (8, 32), (8, 56), (8, 60), (8, 63), (16, 31), (16, 40), (16, 96)],
)
def test_orthogonal_has_hardly_more_error_than_multi(channels: int, probes: int) -> None:
    """At most 1.05 times. A channel that picks its columns on its own has 1.16, 1.32 and 1.30 times
    multi's at (8, 32), (8, 56) and (16, 96). Known to 1 % here."""
    layout = Layout(torch.Size((1, channels, 6, 6)), torch.float64, torch.device("cpu"))
    image = torch.randn(layout.shape, dtype=torch.float64, generator=torch.Generator())
    means = []
    for scheme in ("orthogonal", "multi"):
        probing = Probing(probes, scheme)
        drawn = (drawn_probes(probing, layout, seed) for seed in range(400))
        wrong = [(projected(image, z, probing) - image).square().sum() for z in drawn]
        means.append(torch.stack(wrong).mean())
    assert (means[0] / means[1]).sqrt() < 1.05


CASES = {
    "padded": (conv_case((2, 2, 12, 12), 2, 3, padding=1, bias=False), "rademacher"),
    "strided 1d": (conv_case((2, 2, 150), 2, 5, stride=2, bias=False), "gaussian"),
    "transposed": (
        conv_case((2, 2, 9, 9), 2, 2, stride=2, transposed=True, bias=False),
        "gaussian",
    ),
}


@pytest.mark.parametrize(("name", "way"), list(zip(cycle(CASES), WAYS, strict=False)), ids=str)
def test_four_times_the_probes_a_quarter_of_the_variance(name: str, way: str) -> None:
    """Orthogonal probes from two columns a channel on; below, each channel uses 8 of any number.

    Each way on one of the geometries: the formula above knows no geometry but the image.
    """
    case, distribution = CASES[name]
    few, many = (
        errors(case, case.input(), distribution=distribution, probes=probes, **WAYS[way])
        .flatten(1)
        .square()
        .sum(1, keepdim=True)
        for probes in (16, 64)
    )
    check_mean(few - 4 * many, 0.0)
    with pytest.raises(AssertionError, match="standard errors"):
        check_mean(few - 2 * many, 0.0)  # 1/√r would be noticed


@pytest.mark.parametrize("probes", [3, 8, 9, 24])
def test_channels_with_columns_of_their_own_do_not_interfere(probes: int) -> None:
    """A channel of zeros gets a gradient of zero from orthogonal probes if there are enough."""
    case = conv_case((1, CHANNELS, SIDE, SIDE), 1, SIDE, bias=False)
    input = case.input().detach() * CHANNEL_SIZES
    scatter = errors(case, input, seeds=50, scheme="orthogonal", probes=probes)
    assert scatter[:, :, -1].any() == (probes <= 8)
