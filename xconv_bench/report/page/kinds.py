"""The figures and rows of a table that a page speaks of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite, nan

from xconv_bench.configuration import KNOBS
from xconv_bench.report.settings import (
    Setting,
    is_exact,
    is_reference,
    number,
    of_network,
    settings_of,
)
from xconv_bench.report.summary import Row, summarize
from xconv_bench.report.training_words import SETTING_KEY, means_over_seeds
from xconv_bench.report.words import method_words
from xconv_bench.results.schema import Schema
from xconv_bench.results.schema.shared import PEAKS


def shown_figures(schema: Schema, rows: Sequence[Row]) -> list[str]:
    """Return the main figures that any row has; of several meters of the peak the first."""
    found = [name for name in schema.main if any(row.get(name) is not None for row in rows)]
    peaks = [name for name in PEAKS if name in found]
    return [name for name in found if name not in peaks[1:]]


def condensed(schema: Schema, rows: Sequence[Row]) -> list[Setting]:
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
                **{column: summary.figures.get(column) for column in schema.main},
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
