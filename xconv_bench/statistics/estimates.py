"""Numbers with the error that they were measured with."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log, sqrt
from statistics import fmean, variance
from typing import NamedTuple


class Measured(NamedTuple):
    """A mean, and its standard error; None where a single sample tells nothing of it."""

    value: float
    se: float | None


class Interval(NamedTuple):
    """A value with the bounds of its confidence interval, None where they are not known."""

    value: float
    low: float | None
    high: float | None


def mean(samples: Sequence[float]) -> Measured:
    """Return the mean of independent samples.

    >>> mean([1.0, 2.0, 3.0])
    Measured(value=2.0, se=0.5773502691896257)
    """
    if len(samples) < 2:
        return Measured(samples[0], None)
    return Measured(fmean(samples), sqrt(variance(samples) / len(samples)))


def root(squared: Measured) -> Measured:
    """Return the square root, with its error to first order: se / (2 √value).

    >>> root(Measured(4.0, 1.0))
    Measured(value=2.0, se=0.25)
    """
    value = sqrt(squared.value)
    if squared.se is None:
        return Measured(value, None)
    return Measured(value, squared.se / (2 * value) if value else 0.0)


def ratio(
    numerators: Sequence[float], denominators: Sequence[float], confidence: float = 0.95
) -> Interval | None:
    """Return the ratio of two means over the same independent draws, which may be dependent.

    There may be more numerators than denominators: the last of them are of the same draws. The
    interval is that of the logarithm, to first order (delta method) and with Student's t: it
    stays positive, and the ratio and its inverse have the same one. None where the mean of the
    denominators is not positive. A ratio of 0 has no logarithm: its interval is [0, 0].

    >>> ratio([2.0, 2.0], [1.0, 1.0])
    Interval(value=2.0, low=2.0, high=2.0)
    """
    from scipy.special import stdtrit

    above, below = fmean(numerators), fmean(denominators)
    if not below > 0:
        return None
    value = above / below
    if value == 0:
        return Interval(0.0, 0.0, 0.0)
    count = len(denominators)
    if count < 2:
        return Interval(value, None, None)
    pairs = zip(numerators[-count:], denominators, strict=True)
    influence = [a / above - b / below for a, b in pairs]
    spread = float(stdtrit(count - 1, (1 + confidence) / 2)) * sqrt(variance(influence) / count)
    return Interval(value, exp(log(value) - spread), exp(log(value) + spread))
