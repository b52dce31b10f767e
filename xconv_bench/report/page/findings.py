"""The outcome of a table in sentences, one a setting."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from xconv_bench.report.page.kinds import (
    candidates,
    column_of,
    condensed,
    name_of,
    shown_figures,
    writer,
)
from xconv_bench.report.settings import Comparable, number, reference_in
from xconv_bench.report.summary import Row
from xconv_bench.report.tables.engine import in_brackets, ratio_of
from xconv_bench.report.words import counts_words
from xconv_bench.results.schema import Column, Schema
from xconv_bench.results.schema.column import Better, Unit
from xconv_bench.results.schema.training import MEASURES
from xconv_bench.results.statuses import DOUBTFUL, MEASURED_STATUSES

_ROUNDING = 1e-6


@dataclass(frozen=True)
class Finding:
    """The outcome in a setting, which ``title`` names."""

    title: str
    text: str


def findings(schema: Schema, rows: Sequence[Row], most: int) -> tuple[list[Finding], int]:
    """Return the outcomes of the first ``most`` settings, and how many settings there are."""
    if not schema.main:
        return [], 0
    settings = condensed(schema, rows)
    return [Finding(each.title, outcome_of(schema, each)) for each in settings[:most]], len(
        settings
    )


def outcome_of(schema: Schema, setting: Comparable) -> str:
    """Return a sentence on the best method of a setting with its main figures."""
    figures = [column_of(schema, name) for name in shown_figures(schema, setting.rows)]
    if not figures:
        return _failures(setting.rows) or "nothing was measured"
    best = figures[0]
    rows = candidates(schema, setting.rows, best.name)
    exact = reference_in(setting.rows)
    if not rows:
        return _alone(best, setting.rows, exact)
    extreme, choose = ("largest", max) if best.better is Better.MORE else ("smallest", min)
    row = choose(rows, key=lambda each: number(each, best.name) or 0)
    words = figure_words(best, row, exact, setting.rows)
    name = best.heading.removeprefix(f"{extreme} ")
    text = f"{extreme} {name} {words} with {name_of(row)}"
    beside = exact is not None and _plain(best, exact, setting.rows)
    if beside and (best.name in MEASURES or best.is_compared):
        text = f"{text}, where exact has {beside}"
    others = [
        f"{column.heading} {figure_words(column, row, exact, setting.rows)}"
        for column in figures[1:]
        if row.get(column.name) is not None
    ]
    return ". ".join(filter(None, ["; ".join([text, *others]), _failures(setting.rows)]))


def figure_words(column: Column, row: Row, exact: Row | None, rows: Sequence[Row]) -> str:
    """Return ``338 MiB (0.79×)``: a figure, and its ratio to that of exact."""
    value = number(row, column.name)
    if value is not None and is_rounding(column, value):
        return "that of rounding" if value else "0"
    text = _plain(column, row, rows)
    return text + in_brackets(ratio_of(column, row, exact) if column.is_compared else None)


def is_rounding(column: Column, value: float) -> bool:
    """Return whether a distance from the exact gradient is no larger than rounding."""
    return column.unit is Unit.RELATIVE and abs(value) < _ROUNDING


def statuses(rows: Sequence[Row]) -> str:
    """Return ``18 ok, 1 out of memory``."""
    return counts_words(Counter(str(row["status"]) for row in rows))


def _plain(column: Column, row: Row, rows: Sequence[Row]) -> str:
    """Return a figure without the bounds of an interval, which a sentence has no room for."""
    bounds = dict.fromkeys(column.spread if len(column.spread) == 2 else ())
    return writer(column, rows)({**row, **bounds})


def _alone(best: Column, rows: Sequence[Row], exact: Row | None) -> str:
    text = _plain(best, exact, rows) if exact else ""
    said = f"{best.heading} {text} with exact" if text else ""
    return ". ".join(filter(None, [said, _failures(rows)])) or "nothing was measured"


def _failures(rows: Sequence[Row]) -> str:
    failed = [row for row in rows if row["status"] not in MEASURED_STATUSES]
    doubtful = [row for row in rows if row["status"] == DOUBTFUL]
    said = [f"Not measured: {statuses(failed)} of {len(rows)}"] if failed else []
    said += [f"Simulated figures: {statuses(doubtful)} of {len(rows)}"] if doubtful else []
    return ". ".join(said)
