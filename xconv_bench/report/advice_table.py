"""The rows of ``advice.csv`` as a table for people: the plan, then what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO

from xconv_bench.report.settings import Setting, number, settings_of
from xconv_bench.report.summary import Row
from xconv_bench.report.text_table import (
    Column,
    open_console,
    print_columns,
    print_heading,
    print_legend,
    print_notes,
)
from xconv_bench.report.units import format_bytes, format_measured, format_ratio, seconds_unit
from xconv_bench.results.columns import ADVICE_KEY, ALL_LAYERS

_MEANINGS = (
    ("keeps", "how the module keeps what it needs for the backward pass"),
    ("bytes", "what it keeps so, and what it would keep exactly"),
    ("error", "what it adds to the relative error of the gradient of all weights"),
)


def print_advice_table(rows: Sequence[Row], plan: Path, file: IO[str] | None = None) -> None:
    """Print a line for each module, then predicted and measured figures of the whole.

    ``rows`` are as ``Table.rows`` returns them; ``file`` is standard output where None is given.
    """
    console = open_console(file)
    for setting in settings_of(rows, ADVICE_KEY):
        print_heading(console, setting.title, is_first=True)
        modules = [row for row in setting.rows if row["layer"] != ALL_LAYERS]
        names = Column("module", [str(row["layer"]) for row in modules], "left")
        print_columns(console, [names], _columns(modules))
        print_notes(console, [*_whole(setting), f"plan: {plan}"])
    print_legend(console, _MEANINGS)


def _columns(rows: Sequence[Row]) -> list[Column]:
    return [
        Column("keeps", [str(row["setting"]) for row in rows], "left"),
        Column("bytes", [_bytes(row, "saved_bytes") for row in rows]),
        Column("exactly", [_bytes(row, "exact_saved_bytes") for row in rows]),
        Column("error", [_error(row, "predicted_error") for row in rows]),
    ]


def _whole(setting: Setting) -> list[str]:
    (row,) = (row for row in setting.rows if row["layer"] == ALL_LAYERS)
    seconds = number(row, "step_seconds")
    lines = [
        f"peak of a step: {_bytes(row, 'predicted_peak_bytes')} predicted, "
        f"{_bytes(row, 'peak_bytes')} measured",
        f"relative error: {_error(row, 'predicted_error')} predicted, "
        f"{_error(row, 'relative_error')} measured",
    ]
    if seconds is not None:
        ratio = number(row, "step_ratio")
        words = "" if ratio is None else f", {format_ratio(ratio)} exact"
        lines.append(f"time of a step: {seconds_unit(seconds).format(seconds)}{words}")
    return [*lines, *filter(None, [str(row["message"] or "")])]


def _bytes(row: Row, column: str) -> str:
    value = number(row, column)
    return "?" if value is None else format_bytes(value)


def _error(row: Row, column: str) -> str:
    value = number(row, column)
    return "?" if value is None else format_measured(value, None) if value else "exact"
