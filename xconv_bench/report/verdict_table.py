"""Verdicts on thresholds, and changes of a baseline, as tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from pathlib import Path
from typing import IO

from xconv_bench.configuration import KNOBS
from xconv_bench.report.text_table import (
    Column,
    open_console,
    print_columns,
    print_heading,
    print_notes,
)
from xconv_bench.report.units import format_bytes, format_measured, format_seconds
from xconv_bench.report.words import method_words, phrases
from xconv_bench.results.columns import Cell
from xconv_bench.results.run_directory import TABLES
from xconv_bench.thresholds.update import Change
from xconv_bench.thresholds.verdict import Verdict

_MARKS = {"pass": "ok", "fail": "FAILED", "skip": "not compared"}
_WITHIN = frozenset({"method", *KNOBS})
_USUAL: Mapping[str, Cell] = {
    "dtype": "float32", "seed": 0, "repeat": 0, "layer": "all", "weights": "random",
    "warmup_steps": 0, "headroom": 0.92, "most": 65536,
}  # fmt: skip
"""What is not worth a word."""


_FAR_PERCENT = 1000


def print_verdicts(
    verdicts: Sequence[Verdict], run: Path, baseline: Path | None, file: IO[str] | None = None
) -> None:
    """Print a line for each verdict that is not a pass, and one for all passes of a limit.

    That line shows the row that is nearest to the bound. ``file`` is standard output where None is
    given.
    """
    console = open_console(file)
    against = f", baseline {baseline}" if baseline else ""
    print_heading(console, f"thresholds of {run}{against}", is_first=True)
    lines = [[verdict] for verdict in verdicts if verdict.outcome != "pass"]
    lines += _passes(verdicts)
    shown = [line[0] for line in lines]
    print_columns(
        console,
        [
            Column("verdict", [_MARKS[each.outcome] for each in shown], "left"),
            Column("limit", [f"{v.limit.table}: {v.limit.demand}" for v in shown], "left"),
            Column("row", [_rows_words(line) for line in lines], "left"),
        ],
        [
            Column("value", [_figure(each, each.value) for each in shown]),
            Column("bound", [_figure(each, each.bound) for each in shown]),
            Column("reference", [_figure(each, each.reference) for each in shown]),
            Column("beyond", [excess_words(each) for each in shown]),
            Column("remark", [each.message for each in shown], "left"),
        ],
    )
    print_notes(console, [_count(verdicts)])


def _passes(verdicts: Sequence[Verdict]) -> list[list[Verdict]]:
    """The passes of each limit, the one nearest to its bound first."""
    found: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.outcome == "pass":
            found.setdefault(str(verdict.limit), []).append(verdict)
    return [
        sorted(some, key=lambda each: -inf if each.excess is None else each.excess, reverse=True)
        for some in found.values()
    ]


def _rows_words(line: Sequence[Verdict]) -> str:
    more = f"{len(line)} rows, the nearest: " if len(line) > 1 else ""
    return more + row_words(line[0])


def row_words(verdict: Verdict) -> str:
    """The row that a verdict is on; where there is none, what was to be selected."""
    if verdict.row is None:
        return verdict.limit.rows
    return _row_words(verdict.limit.table, verdict.row)


def excess_words(verdict: Verdict) -> str:
    """``+3.2 %`` beyond the bound, ``-12 %`` within."""
    excess = verdict.excess
    if excess is None:
        return ""
    percent = 100 * excess
    if abs(percent) >= _FAR_PERCENT:
        return f"{'beyond +' if percent > 0 else 'below -'}{_FAR_PERCENT} %"
    return f"{percent:+.2g} %" if abs(percent) < 100 else f"{percent:+.0f} %"


def figure_words(metric: str, value: float | None) -> str:
    """A metric with its unit."""
    if value is None:
        return ""
    if metric.endswith("_bytes"):
        return format_bytes(value)
    if "_seconds" in metric:
        return format_seconds(value)
    return str(int(value)) if float(value).is_integer() else format_measured(value, None)


def print_changes(changes: Sequence[Change], baseline: Path, file: IO[str] | None = None) -> None:
    """Print what a new baseline changes; ``file`` is standard output where None is given."""
    console = open_console(file)
    print_heading(console, f"baseline {baseline}", is_first=True)
    changed = [change for change in changes if change.before != change.after]
    if changed:
        print_columns(
            console,
            [
                Column("metric", [f"{c.limit.table}: {c.limit.metric}" for c in changed], "left"),
                Column("row", [_row_words(c.limit.table, c.row) for c in changed], "left"),
            ],
            [
                Column("before", [figure_words(c.limit.metric, c.before) or "-" for c in changed]),
                Column("after", [figure_words(c.limit.metric, c.after) or "-" for c in changed]),
                Column("change", [_change(c) for c in changed]),
            ],
        )
    print_notes(console, [f"{len(changed)} of {len(changes)} figures changed"])


def _row_words(table: str, row: Mapping[str, Cell]) -> str:
    key = TABLES[table][1]
    setting = {
        name: row[name] for name in key if name not in _WITHIN and row[name] != _USUAL.get(name)
    }
    if table == "layers":  # a moment of a step has a number, and is known to people by its layer
        setting["position"] = f"{row['layer']} {row['phase']}"
    return f"{method_words(row)}, {phrases(setting)}"


def _figure(verdict: Verdict, value: float | None) -> str:
    return figure_words(verdict.limit.metric, value)


def _change(change: Change) -> str:
    if change.before is None:
        return "new"
    if change.after is None:
        return "gone"
    return f"{100 * (change.after / change.before - 1):+.2g} %" if change.before else ""


def _count(verdicts: Sequence[Verdict]) -> str:
    counts = {mark: sum(each.outcome == name for each in verdicts) for name, mark in _MARKS.items()}
    return ", ".join(f"{count} {mark}" for mark, count in counts.items() if count)
