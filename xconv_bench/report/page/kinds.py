"""The columns, cells and rows of a table that a page speaks of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite, nan

from xconv_bench.knobs import KNOBS
from xconv_bench.naming import method_words
from xconv_bench.report.settings import (
    Comparable,
    is_exact,
    is_reference,
    number,
    of_network,
    settings_of,
)
from xconv_bench.report.summary import Row, summarize
from xconv_bench.report.training_words import SETTING_KEY, means_over_seeds
from xconv_bench.report.words import format_measured, formatter, status_words
from xconv_bench.results.schema import Cell, Column, Schema
from xconv_bench.results.schema.shared import FLOOR, PEAKS
from xconv_bench.results.schema.training import GAP

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

    def write(row: Mapping[str, Cell]) -> str:
        value = row.get(column.name)
        if value is None:
            return ""
        if isinstance(value, str):
            return status_words(value) if column.name == "status" else value
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
        if row["status"] == "ok" and not is_reference(row) and isfinite(_number(row, column))
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


def _number(row: Row, column: str) -> float:
    value = number(row, column)
    return nan if value is None else value


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
