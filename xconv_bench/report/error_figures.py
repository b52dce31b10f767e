"""The figures of ``error.csv``: what each is called, how it is written and what it means."""

from dataclasses import dataclass

from xconv_bench.report.gradient_figures import (
    SAVED_MEANING,
    ExactRows,
    GradientFigure,
    saved_words,
)
from xconv_bench.report.settings import number
from xconv_bench.report.summary import Row
from xconv_bench.report.units import format_measured, format_p_value, format_ratio
from xconv_bench.report.words import status_words


@dataclass(frozen=True)
class ErrorFigure(GradientFigure):
    """A figure that is shown always, or of the bias test alone."""

    is_of_bias_test: bool = False


def is_exact(row: Row) -> bool:
    """Whether the gradient differs from the exact one by no more than rounding."""
    return row["bias_verdict"] == "exact" or row["relative_error"] == 0


def _error(row: Row, _: ExactRows) -> str:
    if row["status"] != "ok":
        return status_words(str(row["status"]))
    return "exact" if is_exact(row) else _measured(row, "relative_error")


def _cosine(row: Row, _: ExactRows) -> str:
    return "" if is_exact(row) else _measured(row, "cosine")


def _spread(row: Row, _: ExactRows) -> str:
    return "" if is_exact(row) else _measured(row, "relative_spread")


def _measured(row: Row, column: str) -> str:
    value = number(row, column)
    return "" if value is None else format_measured(value, number(row, f"{column}_se"))


def _floor(row: Row, _: ExactRows) -> str:
    floor = number(row, "floor_error")
    return format_measured(floor, None) if floor else ""


def _bias(row: Row, _: ExactRows) -> str:
    bias, noise = number(row, "relative_bias"), number(row, "relative_bias_noise")
    return "" if bias is None or not noise or is_exact(row) else format_ratio(bias / noise)


def _verdict(row: Row, _: ExactRows) -> str:
    return str(row["bias_verdict"] or "")


def _p_value(row: Row, _: ExactRows) -> str:
    p_value = number(row, "bias_p_value")
    return "" if p_value is None or is_exact(row) else format_p_value(p_value)


ERROR_FIGURES = (
    ErrorFigure(
        "error",
        "distance of an estimated weight gradient from the exact one, root mean square, relative "
        "to the exact one, ± its standard error; at 1 the noise is as large as the gradient",
        _error,
        is_essential=True,
    ),
    ErrorFigure(
        "floor",
        "distance of the exact gradient from itself, computed twice: smaller errors say nothing",
        _floor,
        is_essential=True,
    ),
    ErrorFigure(
        "saved",
        SAVED_MEANING,
        saved_words,
        mark=" (",
        is_essential=True,
    ),
    ErrorFigure(
        "cosine",
        "that of the angle between an estimated and the exact gradient: 1 is the same direction",
        _cosine,
    ),
    ErrorFigure(
        "spread",
        "standard deviation of the estimates, relative to the exact gradient: the error without "
        "the bias",
        _spread,
    ),
    ErrorFigure(
        "bias/noise",
        "how far the mean estimate lies from the exact gradient, over how far chance alone would "
        "put it: about 1 without bias",
        _bias,
    ),
    ErrorFigure(
        "bias test",
        "whether the mean estimate is the exact gradient: unbiased, biased, or exact to rounding",
        _verdict,
        is_essential=True,
        is_of_bias_test=True,
    ),
    ErrorFigure(
        "p",
        "how probable a mean as far off is without bias; for all layers, that of the worst of them",
        _p_value,
        is_of_bias_test=True,
    ),
)
"""In the order in which they are shown."""
