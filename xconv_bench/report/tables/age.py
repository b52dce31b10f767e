"""The rows of ``age.csv`` as a table for people: the average gradient error of each method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO

from xconv_bench.report.settings import number, of_network
from xconv_bench.report.summary import Row
from xconv_bench.report.tables.engine import (
    Figure,
    by_setting,
    cell_words,
    figure_of,
    in_brackets,
    ratio_to,
)
from xconv_bench.report.tables.terminal import print_tables
from xconv_bench.report.units import format_ratio
from xconv_bench.report.words import status_words
from xconv_bench.results.schema.age import AGE

_ERROR = AGE["average_gradient_error"]
_FLOOR = AGE["exact_average_gradient_error"]


def print_average_error_table(rows: Sequence[Row], file: IO[str] | None = None) -> None:
    """Print the average gradient errors in ``rows``, as ``Table.rows`` returns them.

    Each configuration has a line over the whole network, setting by setting. Where batches were
    chosen for the memory, each has its own. ``file`` is standard output where None is given.
    """
    print_tables(by_setting(rows, AGE.key, _FIGURES, of_network), file)


def _batch(row: Row, _: Row | None) -> str:
    return "" if row["memory_budget_bytes"] is None else str(row["batch_size"])


def _error(row: Row, exact: Row | None) -> str:
    error = number(row, _ERROR.name)
    if row["status"] != "ok" or error is None:
        return status_words(str(row["status"]))
    whole = None if exact is None else number(exact, _ERROR.name)
    return cell_words(_ERROR, row, exact) + in_brackets(ratio_to(error, whole))


def _over_floor(row: Row, _: Row | None) -> str:
    error, floor = number(row, _ERROR.name), number(row, _FLOOR.name)
    return "" if error is None or not floor else format_ratio(error / floor)


_FIGURES = (
    Figure("batch", _batch),
    figure_of(AGE["minibatch_count"], meaning=""),
    figure_of(_ERROR, write=_error),
    figure_of(_FLOOR),
    Figure(
        "over floor",
        _over_floor,
        "error over floor: 1 where the estimator adds nothing to that noise",
    ),
)
