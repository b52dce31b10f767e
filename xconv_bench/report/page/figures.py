"""The rows and figures of a table that a page speaks of, and its outcome in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from xconv_bench.knobs import KNOBS
from xconv_bench.naming import method_words, models_apart
from xconv_bench.report.rows import (
    Comparable,
    Row,
    is_exact,
    is_reference,
    number,
    of_network,
    reference_in,
    settings_of,
    summarize,
)
from xconv_bench.report.tables.engine import in_brackets, ratio_of
from xconv_bench.report.training_words import SETTING_KEY, means_over_seeds
from xconv_bench.report.words import counts_words, format_measured, formatter, status_words
from xconv_bench.results.recorded import RecordedRun
from xconv_bench.results.schema import Cell, Column, Schema
from xconv_bench.results.schema.column import Better, Unit
from xconv_bench.results.schema.shared import FLOOR, PEAKS
from xconv_bench.results.schema.training import GAP, MEASURES
from xconv_bench.results.statuses import DOUBTFUL, MEASURED_STATUSES

MOST_FINDINGS = 6
"""Settings of a table and run that a summary speaks of."""
_ROUNDING = 1e-6

Write = Callable[[Mapping[str, Cell]], str]
"""From a row to the text of one of its cells."""

_BESIDE = {
    column.name: column for column in (GAP, Column("run", str, "run", "run that the row is from"))
}
"""Columns that reports add to those of the tables."""


def column_of(schema: Schema, name: str) -> Column:
    """Return a column of a table, or one that reports add, by its name."""
    return _BESIDE[name] if name in _BESIDE else schema[name]


def writer(column: Column, rows: Iterable[Mapping[str, Cell]]) -> Write:
    """Return how to write the cells of a column, all in one unit: that of the largest."""
    values = [row.get(column.name) for row in rows]
    largest = max((value for value in values if isinstance(value, int | float)), default=0)
    format_number = formatter(column, largest)
    models = models_apart(str(value) for value in values if column.name == "model")

    def write(row: Mapping[str, Cell]) -> str:
        value = row.get(column.name)
        if value is None:
            return ""
        if isinstance(value, str):
            return status_words(value) if column.name == "status" else models.get(value, value)
        spread = [row.get(name) for name in column.spread]
        known = [each for each in spread if isinstance(each, int | float)]
        if len(known) == 2:
            low, high = known
            return f"{format_number(value)} ({format_number(low)} to {format_number(high)})"
        if len(known) == len(spread) == 1 and not isinstance(value, int):
            return format_measured(value, known[0])
        return format_number(value)

    return write


def shown_figures(schema: Schema, rows: Sequence[Row]) -> list[str]:
    """Return the main figures that any row has; of several meters of the peak the first."""
    found = [name for name in schema.main if any(row.get(name) is not None for row in rows)]
    peaks = [name for name in PEAKS if name in found]
    return [name for name in found if name not in peaks[1:]]


def condensed(schema: Schema, rows: Sequence[Row]) -> list[Comparable]:
    """Return one row for each configuration: the network's, the median or the mean."""
    if schema.name == "training":
        return settings_of(means_over_seeds(rows), SETTING_KEY)
    return settings_of(_configurations(schema, rows), schema.setting_key)


def candidates(schema: Schema, rows: Sequence[Row], column: str) -> list[Row]:
    """Return the rows of methods other than exact that have a figure to compare with others'."""
    found = [
        row
        for row in rows
        if row["status"] == "ok" and not is_reference(row) and _is_finite(row, column)
    ]
    return [row for row in found if not is_exact(row)] if schema.name == "error" else found


def name_of(row: Row) -> str:
    """Return the method of a row in words; a law is across the knob that it is fitted to."""
    return method_words({**dict.fromkeys(KNOBS), **row})


def first_methods(rows: Sequence[Row], most: int) -> list[Row]:
    """Return the rows of the first ``most`` methods with their knobs."""
    names = list(dict.fromkeys(name_of(row) for row in rows))
    kept = set(names[:most])
    return list(rows) if len(names) <= most else [row for row in rows if name_of(row) in kept]


@dataclass(frozen=True)
class TableOutcome:
    """The findings of a table of a run; ``more`` settings are not spoken of."""

    run: str
    kind: Schema
    rows: int
    statuses: str
    findings: list[Finding]
    more: int


@dataclass(frozen=True)
class Finding:
    """The outcome in a setting, which ``title`` names."""

    title: str
    text: str


def outcomes_of(kind: Schema, runs: Sequence[RecordedRun]) -> list[TableOutcome]:
    """Return what the table says in each of the runs that have it."""
    outcomes = []
    for run in runs:
        if kind.name in run.tables:
            rows = run.tables[kind.name].rows
            found, count = findings(kind, rows, MOST_FINDINGS)
            more = count - len(found)
            outcomes.append(TableOutcome(run.name, kind, len(rows), statuses(rows), found, more))
    return outcomes


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


def _is_finite(row: Row, column: str) -> bool:
    value = number(row, column)
    return value is not None and isfinite(value)


def _configurations(schema: Schema, rows: Sequence[Row]) -> list[Row]:
    if schema.name == "memory":
        return [
            {
                **summary.settings,
                **{name: summary.figures.get(name) for name in (*schema.main, FLOOR.name)},
                "status": "ok" if summary.is_ok else next(iter(summary.statuses)),
                "message": next((text for _, text in summary.messages), None),
            }
            for summary in summarize(rows)
        ]
    if schema.name == "layers":
        return list(_highest(rows, schema.setting_key).values())
    return of_network(rows)


def _highest(rows: Sequence[Row], key: Sequence[str]) -> Mapping[tuple[object, ...], Row]:
    """Return the moment of each configuration at which it holds the most."""
    found: dict[tuple[object, ...], Row] = {}
    for row in rows:
        name = tuple(row[column] for column in key)
        before = found.get(name)
        peak = number(row, "layer_peak_bytes") or 0
        if before is None or peak > (number(before, "layer_peak_bytes") or 0):
            found[name] = row
    return found
