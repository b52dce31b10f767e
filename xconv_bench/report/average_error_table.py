"""The rows of ``age.csv`` as a table for people: the average gradient error of each method."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import IO

from xconv_bench.report.figures import RATIO_MEANING
from xconv_bench.report.notes import notes_of
from xconv_bench.report.settings import is_reference, number, of_network, settings_of
from xconv_bench.report.summary import Row
from xconv_bench.report.text_table import (
    Column,
    aligned,
    open_console,
    print_columns,
    print_heading,
    print_legend,
    print_notes,
)
from xconv_bench.report.units import format_measured, format_ratio
from xconv_bench.report.words import method_words, status_words
from xconv_bench.results.columns import AGE_KEY, Cell

_ERROR = "average_gradient_error"
_FLOOR = "exact_average_gradient_error"
_COUNTS = {"batch": "batch_size", "minibatches": "minibatch_count"}

_LEGEND = (
    (
        "average error",
        "mean over the minibatches of the squared distance of their gradient from the exact "
        "gradient of all samples, over all convolution weights, ± its standard error",
    ),
    (
        "floor",
        "the same of exact gradients on the same minibatches: the noise that they have anyway",
    ),
    ("over floor", "error over floor: 1 where the estimator adds nothing to that noise"),
)


def print_average_error_table(rows: Sequence[Row], file: IO[str] | None = None) -> None:
    """Print the average gradient errors in ``rows``, as ``Table.rows`` returns them.

    For each setting a line for each configuration, over the whole network. Where batches were
    chosen for the memory, each has its own. Below stand the messages of the rows and what each
    figure means. ``file`` is standard output where None is given.
    """
    console = open_console(file)
    settings = settings_of(rows, AGE_KEY)
    if not settings:
        console.print("Nothing was measured.")
        return
    for setting in settings:
        print_heading(console, setting.title, is_first=setting is settings[0])
        lines = of_network(setting.rows)
        methods = Column("method", [method_words(row) for row in lines], "left")
        print_columns(console, [methods], list(_figures(lines)))
    print_notes(console, notes_of(settings))
    has_ratios = any(map(is_reference, rows)) and not all(map(is_reference, rows))
    print_legend(console, [*_LEGEND, *([("(×)", RATIO_MEANING)] if has_ratios else [])])


def _figures(lines: Sequence[Row]) -> Iterator[Column]:
    exact = next((number(row, _ERROR) for row in lines if is_reference(row)), None)
    counts = {heading: [_text(row[name]) for row in lines] for heading, name in _COUNTS.items()}
    if all(row["memory_budget_bytes"] is None for row in lines):
        del counts["batch"]  # the title says it
    figures = {
        "average error": [_error(row, exact) for row in lines],
        "floor": [_measured(row, _FLOOR) for row in lines],
        "over floor": [_over_floor(row) for row in lines],
    }
    for heading, cells in {**counts, **figures}.items():
        if any(cells):
            yield Column(heading, aligned(cells, " ±"))


def _text(value: Cell) -> str:
    return "" if value is None else str(value)


def _error(row: Row, exact: float | None) -> str:
    error = number(row, _ERROR)
    if row["status"] != "ok" or error is None:
        return status_words(str(row["status"]))
    ratio = f" ({format_ratio(error / exact)})" if exact and not is_reference(row) else ""
    return _measured(row, _ERROR) + ratio


def _measured(row: Row, column: str) -> str:
    value = number(row, column)
    return "" if value is None else format_measured(value, number(row, f"{column}_se"))


def _over_floor(row: Row) -> str:
    error, floor = number(row, _ERROR), number(row, _FLOOR)
    return "" if error is None or not floor else format_ratio(error / floor)
