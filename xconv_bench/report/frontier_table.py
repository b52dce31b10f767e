"""The rows of ``frontier.csv`` as a table for people: what each method costs, what beats it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import IO

from xconv_bench.report.notes import notes_of
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
from xconv_bench.report.units import format_bytes, format_measured, format_ratio, seconds_unit
from xconv_bench.report.words import method_words, status_words
from xconv_bench.results.columns import FRONTIER_KEY

_MEANINGS = (
    ("peak", "the most memory that a training step takes, and its ratio to exact"),
    ("error", "distance of an estimated weight gradient from the exact one, relative to it"),
    ("floor", "distance of the exact gradient from itself: smaller errors say nothing"),
    ("step", "time of a training step without the optimizer, and its ratio to exact"),
    (
        "beaten by",
        "a method that takes no more memory, has no larger error and no longer step; on the front "
        "there is none",
    ),
)


def print_frontier_table(rows: Sequence[Row], file: IO[str] | None = None) -> None:
    """Print a line for each method, those with the smallest peak last.

    ``rows`` are as ``Table.rows`` returns them; ``file`` is standard output where None is given.
    """
    console = open_console(file)
    settings = settings_of(rows, FRONTIER_KEY)
    if not settings:
        console.print("Nothing was measured.")
        return
    for setting in settings:
        print_heading(console, setting.title, is_first=setting is settings[0])
        ordered = sorted(setting.rows, key=lambda row: -(number(row, "peak_bytes") or 0))
        methods = Column("method", [method_words(row) for row in ordered], "left")
        print_columns(console, [methods], list(_columns(setting, ordered)))
    print_notes(console, notes_of(settings))
    has_floor = any(number(row, "floor_error") for setting in settings for row in setting.rows)
    print_legend(console, [m for m in _MEANINGS if m[0] != "floor" or has_floor])


def _columns(setting: Setting, rows: Sequence[Row]) -> Iterator[Column]:
    yield Column("peak", aligned([_peak(row) for row in rows], " ("))
    yield Column("error", aligned([_error(row) for row in rows], " ±"))
    floors = [number(row, "floor_error") for row in rows]
    if any(floors):
        yield Column("floor", [format_measured(floor, None) if floor else "" for floor in floors])
    yield Column("step", aligned([_step(row) for row in rows], " ("))
    yield Column("beaten by", [str(row["beaten_in_all_by"] or "") for row in rows], "left")


def _peak(row: Row) -> str:
    peak = number(row, "peak_bytes")
    if peak is None:
        return status_words(str(row["status"]))
    return format_bytes(peak) + _to_exact(row, "peak_ratio")


def _error(row: Row) -> str:
    error = number(row, "relative_error")
    if error is None:
        return ""
    return format_measured(error, number(row, "relative_error_se")) if error else "exact"


def _step(row: Row) -> str:
    seconds = number(row, "step_seconds")
    if seconds is None:
        return ""
    return seconds_unit(seconds).format(seconds) + _to_exact(row, "step_ratio")


def _to_exact(row: Row, column: str) -> str:
    ratio = number(row, column)
    return "" if ratio is None or is_reference(row) else f" ({format_ratio(ratio)})"
