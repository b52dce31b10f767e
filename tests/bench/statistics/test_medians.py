"""Intervals of medians hold what they say they hold, whatever the distribution."""

from statistics import median

import pytest
import torch

from xconv_bench.statistics.medians import median_interval


def test_too_few_samples_have_no_interval() -> None:
    """Not even the smallest and the largest of five hold the median with 95 %."""
    assert median_interval([1.0] * 5).low is None
    assert median_interval([1.0] * 6).low == 1.0
    assert median_interval([7.0]).value == 7.0


def test_nine_samples_by_hand() -> None:
    """The second and the eighth of nine: 1 - 2 (1 + 9) / 512 = 96.1 %; the third has 82 %."""
    assert median_interval([float(n) for n in (9, 1, 8, 2, 7, 3, 6, 4, 5)]) == (5.0, 2.0, 8.0)


@pytest.mark.parametrize("count", [6, 9, 20, 51])
@pytest.mark.parametrize("power", [1, 5])
def test_coverage(count: int, power: int) -> None:
    """Skewed or not. 4000 intervals: 95 % less six standard errors is 92.9 %."""
    generator = torch.Generator().manual_seed(count)
    samples = torch.rand(4000, count, generator=generator, dtype=torch.float64) ** power
    intervals = [median_interval(line.tolist()) for line in samples]
    assert intervals[0].value == median(samples[0].tolist())
    held = sum(low <= 0.5**power <= high for _, low, high in intervals if low and high)
    assert held / 4000 > 0.95 - 6 * (0.95 * 0.05 / 4000) ** 0.5
