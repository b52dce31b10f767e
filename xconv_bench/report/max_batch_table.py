"""The rows of ``max_batch.csv`` as a table for people: what fits, and what it is to exact."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import IO

from xconv_bench.report.notes import notes_of
from xconv_bench.report.published import published_max_batch
from xconv_bench.report.settings import Setting, is_reference, number, settings_of
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
from xconv_bench.report.units import format_bytes, format_ratio
from xconv_bench.report.words import method_words, status_words
from xconv_bench.results.columns import MAX_BATCH_KEY

_LIMITS = {
    "memory": "memory",
    "elements": "2³¹ elements of a tensor",
    "network": "the network",
    "max": "--max",
}
_MEANINGS = {
    "largest batch": "samples of a training step that fits; the next that the network takes was "
    "tried and does not",
    "peak": "the most memory that this step takes",
    "limited by": "why it is no larger",
    "paper": "the figure of arXiv 2106.06998, whose ReLUs keep a byte an element and not a bit",
    "trained": "steps that were trained with the answer to see that it holds",
}


def print_max_batch_table(rows: Sequence[Row], file: IO[str] | None = None) -> None:
    """Print a line for each method, setting by setting.

    ``rows`` are as ``Table.rows`` returns them; ``file`` is standard output where None is given.
    """
    console = open_console(file)
    settings = settings_of(rows, MAX_BATCH_KEY)
    if not settings:
        console.print("Nothing was measured.")
        return
    shown: set[str] = set()
    for setting in settings:
        print_heading(console, setting.title, is_first=setting is settings[0])
        columns = [column for column in _columns(setting) if any(column.cells)]
        shown |= {column.heading for column in columns}
        methods = Column("method", [method_words(row) for row in setting.rows], "left")
        print_columns(console, [methods], columns)
    print_notes(console, notes_of(settings))
    print_legend(console, [(name, _MEANINGS[name]) for name in _MEANINGS if name in shown])


def _columns(setting: Setting) -> Iterator[Column]:
    rows = setting.rows
    exact = next((number(row, "max_batch_size") for row in rows if is_reference(row)), None)
    yield Column("largest batch", aligned([_answer(row, exact) for row in rows], " ("))
    yield Column("peak", [_peak(row) for row in rows])
    yield Column("limited by", [_LIMITS.get(str(row["limited_by"]), "") for row in rows], "left")
    yield Column("trained", [str(row["trained_steps"] or "") for row in rows])
    yield Column("paper", [str(published_max_batch(row) or "") for row in rows])


def _answer(row: Row, exact: float | None) -> str:
    size = number(row, "max_batch_size")
    if size is None:
        return status_words(str(row["status"]))
    ratio = f" ({format_ratio(size / exact)})" if exact and not is_reference(row) else ""
    doubt = "" if row["status"] == "ok" else f", {status_words(str(row['status']))}"
    return f"{size:.0f}{ratio}{doubt}"


def _peak(row: Row) -> str:
    peaks = (number(row, column) for column in ("allocated_peak_bytes", "simulated_peak_bytes"))
    return next((format_bytes(peak) for peak in peaks if peak is not None), "")
