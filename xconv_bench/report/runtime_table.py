"""The rows of ``runtime.csv`` as a table for people, and where a method is quicker than exact."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import IO

from xconv_bench.report.notes import notes_of
from xconv_bench.report.settings import is_reference, number, settings_of
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
from xconv_bench.report.units import format_ratio, format_seconds
from xconv_bench.report.words import HEADINGS, method_words, phrases, status_words
from xconv_bench.results.columns import RUNTIME_KEY

_PHASES = ("forward", "backward", "step")
_MEANINGS = (
    ("forward", "time of the forward pass, median of the rounds"),
    ("backward", "time of the backward pass, gradient of the input included"),
    ("step", "time of both, without the optimizer"),
    ("(×)", "the median ratio to exact in the same round, with its 95 % interval for the step"),
)


def print_runtime_table(rows: Sequence[Row], file: IO[str] | None = None) -> None:
    """Print a line for each shape and method; below, for each method, where it wins.

    ``rows`` are as ``Table.rows`` returns them; ``file`` is standard output where None is given.
    """
    console = open_console(file)
    settings = settings_of(rows, RUNTIME_KEY)
    if not settings:
        console.print("Nothing was measured.")
        return
    print_heading(console, phrases(_common(rows)), is_first=True)
    print_columns(console, list(_identity(rows)), list(_figures(rows)))
    print_notes(console, notes_of(settings))
    print_legend(console, _MEANINGS)
    print_notes(console, list(wins(rows)))


def is_win(row: Row) -> bool:
    """Whether a step is quicker than the exact one, the whole interval of the ratio considered."""
    high = number(row, "step_ratio_high")
    return high is not None and high < 1


def wins(rows: Sequence[Row]) -> Iterator[str]:
    """A line for each method with its knobs: in how many shapes it wins, and in which."""
    methods: dict[str, list[Row]] = {}
    for row in rows:
        if number(row, "step_ratio") is not None:
            methods.setdefault(method_words(row), []).append(row)
    names = [name for name in HEADINGS if len({row[name] for row in rows}) > 1]
    for method, some in methods.items():
        won = [row for row in some if is_win(row)]
        where = "; ".join(phrases({name: row[name] for name in names}) for row in won)
        count = f"{method} is quicker than exact in {len(won)} of {len(some)} shapes"
        yield f"{count}: {where}" if where else count


def _common(rows: Sequence[Row]) -> dict[str, str | int | float | None]:
    columns = (*HEADINGS, "rounds")
    values = {name: {row[name] for row in rows if row[name] is not None} for name in columns}
    return {name: found.pop() for name, found in values.items() if len(found) == 1}


def _identity(rows: Sequence[Row]) -> Iterator[Column]:
    for name, heading in HEADINGS.items():
        values = [row[name] for row in rows]
        if len(set(values)) > 1:
            justify = "right" if isinstance(values[0], int) else "left"
            yield Column(heading, [str(value) for value in values], justify)  # type: ignore[arg-type]
    yield Column("method", [method_words(row) for row in rows], "left")


def _figures(rows: Sequence[Row]) -> Iterator[Column]:
    for phase in _PHASES:
        yield Column(phase, aligned([_time(row, phase) for row in rows], " ("))
    yield Column("step ratio", aligned([_interval(row) for row in rows], "× ("))


def _time(row: Row, phase: str) -> str:
    seconds, ratio = number(row, f"{phase}_seconds"), number(row, f"{phase}_ratio")
    if seconds is None:
        return status_words(str(row["status"])) if phase == "step" else ""
    return format_seconds(seconds) + ("" if ratio is None else f" ({format_ratio(ratio)})")


def _interval(row: Row) -> str:
    ratio = number(row, "step_ratio")
    low, high = number(row, "step_ratio_low"), number(row, "step_ratio_high")
    if ratio is None or is_reference(row):
        return ""
    bounds = "" if low is None or high is None else f" ({low:.2f} to {high:.2f})"
    return format_ratio(ratio) + bounds
