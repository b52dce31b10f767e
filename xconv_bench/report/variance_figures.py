"""The figures of ``variance.csv``: what each is called, how it is written and what it means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import sqrt

from xconv_bench.report.settings import is_reference, number
from xconv_bench.report.summary import Row
from xconv_bench.report.units import format_bytes, format_measured, format_ratio
from xconv_bench.report.variance_laws import ratio_words
from xconv_bench.report.words import status_words
from xconv_bench.statistics.estimates import Measured, root

ExactRows = Mapping[str, Row]
"""The rows of the exact method in the same setting, by layer; empty where there are none."""


@dataclass(frozen=True)
class VarianceFigure:
    """A figure that people compare.

    ``write`` makes the text of its cell; ``mark`` is what stands below each other in a column.
    Of several numbers of probes side by side only what ``is_essential`` is shown.
    """

    heading: str
    meaning: str
    write: Callable[[Row, ExactRows], str]
    mark: str
    is_essential: bool = False


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


def _saved(row: Row, exact: ExactRows) -> str:
    saved, reference = number(row, "saved_bytes"), exact.get(str(row["layer"]))
    if saved is None:
        return ""
    whole = None if reference is None or reference is row else number(reference, "saved_bytes")
    return format_bytes(saved) + (f" ({format_ratio(saved / whole)})" if whole else "")


VARIANCE_FIGURES = (
    VarianceFigure(
        "ratio",
        "variance that the estimator adds, over that which sampling minibatches causes anyway, "
        "with its 95 % confidence interval: at 1 the variance is doubled",
        _ratio,
        mark="× (",
        is_essential=True,
    ),
    VarianceFigure(
        "deviation",
        "standard deviation of the gradient over minibatches and seeds, √ of the variance summed "
        "over the weights, ± its standard error",
        _deviation,
        mark=" ±",
    ),
    VarianceFigure(
        "total/sum",
        "variance of the estimates, measured by itself, over the sum of sampling and estimator "
        "variance: about 1, or the estimator is biased",
        _consistency,
        mark="×",
    ),
    VarianceFigure(
        "error/rounding",
        "distance from the gradient in float64, root mean square, over that of torch's own layer "
        "in the same dtype: near 1 the estimator's error is no larger than rounding",
        _rounding,
        mark="×",
        is_essential=True,
    ),
    VarianceFigure(
        "saved",
        "what autograd keeps for the layer between the forward and the backward pass, for all "
        "layers what it keeps for the whole network, parameters excluded",
        _saved,
        mark=" (",
    ),
)
"""In the order in which they are shown."""
