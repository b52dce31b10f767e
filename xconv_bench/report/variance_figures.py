"""The figures of ``variance.csv``: what each is called, how it is written and what it means."""

from __future__ import annotations

from math import sqrt

from xconv_bench.report.gradient_figures import (
    SAVED_MEANING,
    ExactRows,
    GradientFigure,
    saved_words,
)
from xconv_bench.report.settings import is_reference, number
from xconv_bench.report.summary import Row
from xconv_bench.report.units import format_measured, format_ratio
from xconv_bench.report.variance_laws import ratio_words
from xconv_bench.report.words import status_words
from xconv_bench.statistics.estimates import Measured, root


def deviation(row: Row, column: str = "total_variance") -> Measured | None:
    """The root of a variance with its standard error; None where it was not measured."""
    value = number(row, column)
    return None if value is None else root(Measured(value, number(row, f"{column}_se")))


def _ratio(row: Row, _: ExactRows) -> str:
    if row["status"] != "ok":
        return status_words(str(row["status"]))
    return "" if is_reference(row) else ratio_words(row)


def _deviation(row: Row, exact: ExactRows) -> str:
    found, reference = deviation(row), exact.get(str(row["layer"]))
    if found is None:
        return ""
    whole = None if reference is None or reference is row else deviation(reference)
    words = format_measured(*found)
    return (
        f"{words} ({format_ratio(found.value / whole.value)})" if whole and whole.value else words
    )


def _consistency(row: Row, _: ExactRows) -> str:
    parts = [number(row, f"{name}_variance") for name in ("total", "sampling", "estimator")]
    total, sampling, estimator = (0.0 if part is None else part for part in parts)
    both = sampling + estimator
    if None in parts or not both or is_reference(row):
        return ""
    return format_ratio(total / both)


def _rounding(row: Row, _: ExactRows) -> str:
    error, rounding = number(row, "squared_error"), number(row, "rounding_squared_error")
    if error is None or not rounding or is_reference(row):
        return ""
    return format_ratio(sqrt(error / rounding))


VARIANCE_FIGURES = (
    GradientFigure(
        "ratio",
        "variance that the estimator adds, over that which sampling minibatches causes anyway, "
        "with its 95 % confidence interval: at 1 the variance is doubled",
        _ratio,
        mark="× (",
        is_essential=True,
    ),
    GradientFigure(
        "deviation",
        "standard deviation of the gradient over minibatches and seeds, √ of the variance summed "
        "over the weights, ± its standard error",
        _deviation,
        mark=" ±",
    ),
    GradientFigure(
        "total/sum",
        "variance of the estimates, measured by itself, over the sum of sampling and estimator "
        "variance: about 1, or the estimator is biased",
        _consistency,
        mark="×",
    ),
    GradientFigure(
        "error/rounding",
        "distance from the gradient in float64, root mean square, over that of torch's own layer "
        "in the same dtype: near 1 the estimator's error is no larger than rounding",
        _rounding,
        mark="×",
        is_essential=True,
    ),
    GradientFigure(
        "saved",
        SAVED_MEANING,
        saved_words,
        mark=" (",
    ),
)
"""In the order in which they are shown."""
