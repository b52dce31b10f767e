"""Means, roots and ratios with the errors that they were measured with."""

from math import inf

import pytest
import torch

from xconv_bench.statistics.estimates import Interval, Measured, mean, ratio, root


def test_a_single_sample_has_no_known_error() -> None:
    assert mean([3.0]) == Measured(3.0, None)
    assert root(Measured(9.0, None)) == Measured(3.0, None)
    assert root(Measured(0.0, 0.0)) == Measured(0.0, 0.0)


@pytest.mark.parametrize("below", [[0.0, 0.0], [-1.0, 0.5], [float("nan"), 1.0]])
def test_there_is_no_ratio_to_nothing(below: list[float]) -> None:
    assert ratio([1.0, 2.0], below) is None


def test_ratios_that_need_no_interval_or_have_none() -> None:
    assert ratio([0.0, 0.0], [1.0, 3.0]) == Interval(0.0, 0.0, 0.0)
    assert ratio([2.0], [4.0]) == Interval(0.5, None, None)


def test_numerators_without_a_denominator_count_for_the_mean() -> None:
    below = [2.0, 1.0, 4.0]
    found, pairs = ratio([9.0, 3.0, 2.0, 6.0], below), ratio([3.0, 2.0, 6.0], below)
    assert found is not None and pairs is not None and found.low and pairs.low
    assert found.value == pytest.approx(5 / (7 / 3)) and found.low < found.value


def test_the_inverse_ratio_has_the_inverse_interval() -> None:
    above, below = [1.0, 2.0, 4.0, 3.0], [2.0, 1.0, 2.5, 3.5]
    there, back = ratio(above, below), ratio(below, above)
    assert there is not None and back is not None
    assert there.value == pytest.approx(10 / 9)
    assert there.low == pytest.approx(1 / (back.high or inf))
    assert there.low < there.value < (there.high or 0)


def test_the_interval_covers_as_often_as_it_says() -> None:
    """Dependent numerators and denominators; 95 % of 2000, give or take 6 standard errors.

    False alarms below 1e-6 if the coverage were exactly 95 %; it is 94.5 % to first order.
    """
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(2000, 2, 30, generator=generator, dtype=torch.float64)
    below = 1 + noise[:, 0]
    above = 2 * below + noise[:, 1] - 0.5
    intervals = [ratio(a.tolist(), b.tolist()) for a, b in zip(above, below, strict=True)]
    covered = sum((i.low or inf) <= 2 <= (i.high or -inf) for i in intervals if i is not None)
    assert abs(covered / 2000 - 0.95) < 6 * (0.95 * 0.05 / 2000) ** 0.5
