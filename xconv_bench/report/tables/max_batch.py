"""The rows of ``max_batch.csv`` as a table for people: what fits, and what it is to exact."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO

from xconv_bench.report.published import published_max_batch
from xconv_bench.report.settings import number
from xconv_bench.report.summary import Row
from xconv_bench.report.tables.engine import Figure, by_setting, figure_of, in_brackets, ratio_to
from xconv_bench.report.tables.terminal import print_tables
from xconv_bench.report.units import format_bytes
from xconv_bench.report.words import status_words
from xconv_bench.results.schema.max_batch import MAX_BATCH
from xconv_bench.results.schema.shared import PEAKS

_LIMITS = {
    "memory": "memory",
    "elements": "2³¹ elements of a tensor",
    "network": "the network",
    "max": "--max",
}


def print_max_batch_table(rows: Sequence[Row], file: IO[str] | None = None) -> None:
    """Print a line for each method, setting by setting.

    ``rows`` are as ``Table.rows`` returns them; ``file`` is standard output where None is given.
    """
    print_tables(by_setting(rows, MAX_BATCH.key, _FIGURES), file)


def _answer(row: Row, exact: Row | None) -> str:
    size = number(row, "max_batch_size")
    if size is None:
        return status_words(str(row["status"]))
    whole = None if exact is None else number(exact, "max_batch_size")
    doubt = "" if row["status"] == "ok" else f", {status_words(str(row['status']))}"
    return f"{size:.0f}{in_brackets(ratio_to(size, whole))}{doubt}"


def _peak(row: Row, _: Row | None) -> str:
    peaks = (number(row, column) for column in PEAKS if column in row)
    return next((format_bytes(peak) for peak in peaks if peak is not None), "")


def _limit(row: Row, _: Row | None) -> str:
    return _LIMITS.get(str(row["limited_by"]), "")


def _published(row: Row, _: Row | None) -> str:
    return str(published_max_batch(row) or "")


_FIGURES = (
    figure_of(MAX_BATCH["max_batch_size"], write=_answer),
    Figure("peak", _peak, "the most memory that this step takes"),
    Figure("limited by", _limit, "why it is no larger", justify="left"),
    figure_of(MAX_BATCH["trained_steps"]),
    Figure(
        "paper",
        _published,
        "the figure of arXiv 2106.06998, whose ReLUs keep a byte an element and not a bit",
    ),
)
