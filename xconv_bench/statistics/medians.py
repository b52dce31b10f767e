"""Medians, with intervals that take nothing for granted of how the samples are distributed."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from statistics import median

from xconv_bench.statistics.estimates import Interval


def median_interval(samples: Sequence[float], confidence: float = 0.95) -> Interval:
    """Return the median, between two of the samples in their order.

    Among n samples, the k-th smallest and the k-th largest enclose the median with probability
    ``1 - 2 P(B < k)``, B binomial of n and 1/2, whatever the distribution; the largest such k.
    The bounds are None where there are too few.

    >>> median_interval([5.0, 1.0, 2.0, 4.0, 3.0, 6.0])
    Interval(value=3.5, low=1.0, high=6.0)
    >>> median_interval([5.0, 1.0])
    Interval(value=3.0, low=None, high=None)
    """
    ordered, count = sorted(samples), len(samples)
    outside, k = 0.0, 0
    while k < count // 2 and outside + 2 * comb(count, k) / 2**count <= 1 - confidence:
        outside += 2 * comb(count, k) / 2**count
        k += 1
    if k == 0:
        return Interval(median(ordered), None, None)
    return Interval(median(ordered), ordered[k - 1], ordered[-k])
