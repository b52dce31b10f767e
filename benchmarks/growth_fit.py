"""Fits of powers: how a figure grows with a dial."""

import math
import statistics
from collections.abc import Sequence


def exponent(values: Sequence[float], figures: Sequence[float]) -> tuple[float, float]:
    """Return the slope of log ``figures`` over log ``values``, and its standard error.

    Least squares; three points at least.
    """
    x, y = ([math.log(number) for number in each] for each in (values, figures))
    slope, intercept = statistics.linear_regression(x, y)
    residuals = sum((b - slope * a - intercept) ** 2 for a, b in zip(x, y, strict=True))
    middle = statistics.fmean(x)
    spread = sum((a - middle) ** 2 for a in x)
    return slope, math.sqrt(residuals / (len(x) - 2) / spread)
