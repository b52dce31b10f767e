"""Rounding to few bits: a dither where it has less variance, decided by the numbers alone."""

from unittest import mock

import pytest
import torch
from native_cases import switched
from statistics_checker import check_mean
from torch import Tensor

from xconv import grouped
from xconv.grouped import GROUP
from xconv.layout import Layout
from xconv.probing import Probing, keep
from xconv.schemes import SCHEMES
from xconv.schemes.quantized import Quantized

SEEDS = 1000
SCHEME = SCHEMES["quantized"]
assert isinstance(SCHEME, Quantized)


def kept(values: Tensor, bits: int, seed: int) -> tuple[Tensor, ...]:
    probing = Probing(scheme="quantized", bits=bits)
    shape = torch.Size((1,))
    return keep(values, torch.tensor(seed), probing, Layout.of(values), shape, shape)


def rebuilt(values: Tensor, bits: int, seed: int) -> Tensor:
    """x̂ of ``values`` (1, 1, n)."""
    probing = Probing(scheme="quantized", bits=bits)
    seed_tensor, *rest = kept(values, bits, seed)
    parts = SCHEME.rebuild(rest, seed_tensor, probing, Layout.of(values))
    return torch.cat([part for _, part in parts])


def is_dithered(values: Tensor, bits: int, seed: int = 0) -> Tensor:
    """By group: whether the bounds are kept the other way about."""
    *_, bounds = kept(values, bits, seed)
    return bounds[:, 0] > bounds[:, 1]


def uniform(groups: int = 2) -> Tensor:
    return torch.rand(1, 1, groups * GROUP, generator=torch.Generator().manual_seed(1))


def sparse() -> Tensor:
    """Return numbers as behind a ReLU that lets little through: nearly all on the lowest level."""
    values = uniform()
    return torch.where(torch.arange(values.numel()) % 8 == 0, values, 0.0)


KINDS = {"uniform": (uniform(), True), "sparse": (sparse(), False)}


def test_a_dither_is_taken_where_it_has_less_variance() -> None:
    for values, expected in KINDS.values():
        assert is_dithered(values, 2).tolist() == [expected, expected]
    together = torch.cat([uniform(1), sparse()[..., :GROUP]], dim=2)
    assert is_dithered(together, 2).tolist() == [True, False]


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("kind", KINDS)
def test_the_mean_is_the_number_and_the_variance_that_of_the_formula(kind: str, bits: int) -> None:
    values, expected = KINDS[kind]
    exact = values[0, 0].double()
    samples = torch.stack([rebuilt(values, bits, seed)[0, 0] for seed in range(SEEDS)]).double()
    # What lies on a level comes back to rounding.
    samples = torch.where((samples - exact).abs() < 1e-6, exact, samples)
    check_mean(samples, exact)
    groups = values.view(-1, GROUP).double()
    low, high = groups.aminmax(dim=1, keepdim=True)
    steps = (high - low) / (2**bits - 1)
    fractions = ((groups - low) / steps).frac()
    stochastic = (fractions * (1 - fractions) * steps**2).sum()
    dither = (steps**2).expand_as(groups).sum() / 12
    units = (fractions * (1 - fractions)).sum(1).clamp(max=GROUP / 12)
    least = units @ steps[:, 0].square()
    assert bool(dither < stochastic) == expected or bits == 1
    # Squared errors, whose mean is the sum of the variances.
    squares = (samples - exact).square().sum(1)
    check_mean(squares[:, None], float(least))


def test_which_way_a_group_goes_does_not_depend_on_the_seed() -> None:
    """Or the two ways together might not be unbiased though each is."""
    values = torch.randn(1, 1, 40 * GROUP, generator=torch.Generator().manual_seed(2)).relu()
    first = is_dithered(values, 2)
    assert 0 < int(first.sum()) < len(first)
    assert all(is_dithered(values, 2, seed).equal(first) for seed in range(1, 20))


def test_codes_are_those_of_stochastic_rounding() -> None:
    values = uniform()
    dithered = kept(values, 4, 3)
    never = mock.Mock(side_effect=lambda levels: torch.zeros(len(levels), 1, dtype=torch.bool))
    with switched("off"), mock.patch.object(grouped, "_is_dithered", never):
        stochastic = kept(values, 4, 3)
    assert dithered[1].equal(stochastic[1])
    assert dithered[2].equal(stochastic[2].flip(1))


def test_what_lies_on_a_level_is_kept_exactly_behind_a_relu() -> None:
    values = sparse()
    for seed in range(20):
        assert rebuilt(values, 1, seed)[values == 0].abs().max() == 0


def test_constants_are_exact_and_many_bits_nearly() -> None:
    for value in (0.0, 0.3, -1e-30, 1e30):
        constant = torch.full((1, 1, 300), value)
        assert rebuilt(constant, 1, 0).equal(constant)
    values = torch.randn(2, 3, 16, 16)
    error = (rebuilt(values, 8, 0) - values).norm() / values.norm()
    assert error < 0.02


def test_what_is_not_finite_shows() -> None:
    values = uniform()
    values[0, 0, 3] = torch.inf
    assert not rebuilt(values, 2, 0)[0, 0, :GROUP].isfinite().any()
    assert rebuilt(values, 2, 0)[0, 0, GROUP:].isfinite().all()
