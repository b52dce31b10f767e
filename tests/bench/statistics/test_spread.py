"""The increments are samples of the variance: their mean is the sample variance to rounding."""

import pytest
import torch
from statistics_checker import check_mean

from xconv_bench.statistics.spread import Spread


def spread_of(vectors: torch.Tensor) -> Spread:
    spread = Spread()
    for vector in vectors:
        spread.add(vector)
    return spread


def test_mean_and_variance_are_those_of_all_vectors_at_once() -> None:
    vectors = torch.randn(7, 3, 2, generator=torch.Generator().manual_seed(0)) * 3 + 5
    spread = spread_of(vectors)
    torch.testing.assert_close(spread.mean, vectors.double().mean(0))
    expected = vectors.double().var(0).sum().item()
    assert sum(spread.increments) / 6 == pytest.approx(expected, rel=1e-12)
    assert len(spread.increments) == 6


def test_a_large_common_part_is_not_mistaken_for_variance() -> None:
    """Sums of squares would lose all of it: 1e8 squared leaves no digit for 1."""
    vectors = torch.tensor([[-1.0], [1.0], [-1.0], [1.0]], dtype=torch.float64) + 1e8
    assert sum(spread_of(vectors).increments) / 3 == pytest.approx(4 / 3, rel=1e-6)


def test_each_increment_is_a_sample_of_the_variance() -> None:
    """For a skewed distribution too; false alarms as the shared checker states them."""
    generator = torch.Generator().manual_seed(0)
    vectors = torch.rand(1000, 5, 4, generator=generator, dtype=torch.float64) ** 2
    increments = torch.tensor([spread_of(group).increments for group in vectors])
    variance_of_square = 1 / 5 - 1 / 9
    check_mean(increments, torch.full((4,), 4 * variance_of_square, dtype=torch.float64))


def test_what_is_added_may_change_afterwards() -> None:
    vector = torch.zeros(2, dtype=torch.float64)
    spread = Spread()
    spread.add(vector)
    vector += 1
    spread.add(vector)
    assert spread.increments == [1.0]
