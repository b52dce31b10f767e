"""Rows of several runs that are known by the same key, side by side, largest change first."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite, isnan, log

from xconv_bench.knobs import KNOBS
from xconv_bench.plain_text import visible
from xconv_bench.report.canvas import style
from xconv_bench.report.page.figures import column_of, is_rounding, name_of, shown_figures, writer
from xconv_bench.report.rows import Row
from xconv_bench.report.words import ended, format_ratio, phrases
from xconv_bench.results.recorded import RecordedRun
from xconv_bench.results.schema import TABLES, Column, Schema

_METHOD = ("method", *KNOBS)
_NEXT_TO_NOTHING = 0.005
"""A change by less than half a percent."""

RowsByKey = Mapping[tuple[str, ...], Row]


@dataclass(frozen=True)
class FigureChange:
    """A figure in each of the runs; ``ratios`` to the first of them, None where there is none.

    ``size`` is the largest change in either direction, infinite where it is not one by a factor.
    """

    table: str
    where: str
    method: str
    colour: str
    figure: str
    texts: list[str]
    ratios: list[float | None]
    size: float

    @property
    def ratio_words(self) -> list[str]:
        """Return the ratios as people write them; nothing for the first run."""
        return ["" if ratio is None else format_ratio(ratio) for ratio in self.ratios]


@dataclass(frozen=True)
class Comparison:
    """``changes`` has every figure that several runs have; ``unmatched`` rows are in one only."""

    runs: list[str]
    changes: list[FigureChange]
    unmatched: int

    @property
    def count(self) -> int:
        """Return the number of figures that differ by more than half a percent."""
        return sum(change.size > _NEXT_TO_NOTHING for change in self.changes)


def compare(runs: Sequence[RecordedRun]) -> Comparison:
    """Compare the first run with the others."""
    changes: list[FigureChange] = []
    unmatched = 0
    for schema in TABLES.values():
        by_run = [_by_key(schema, run) for run in runs]
        keys = list(dict.fromkeys(key for rows in by_run for key in rows))
        shared = [key for key in keys if key in by_run[0] and sum(key in r for r in by_run) > 1]
        unmatched += len(keys) - len(shared)
        changes += _changes(schema, [[rows.get(key) for rows in by_run] for key in shared])
    changes.sort(key=lambda change: -change.size)
    return Comparison([visible(run.name) for run in runs], changes, unmatched)


def _by_key(schema: Schema, run: RecordedRun) -> RowsByKey:
    table = run.tables.get(schema.name)
    if table is None or not schema.main:
        return {}
    # As text, as the tables themselves tell rows apart.
    return {tuple(c.write(row[c.name]) for c in schema.settings): row for row in table.rows}


def _changes(schema: Schema, shared: Sequence[Sequence[Row | None]]) -> Iterator[FigureChange]:
    every = [row for rows in shared for row in rows if row is not None]
    if not every:
        return
    firsts = [rows[0] for rows in shared if rows[0] is not None]
    names = [
        name
        for name in schema.key
        if name == "model" or (name not in _METHOD and len({row[name] for row in firsts}) > 1)
    ]
    shown = [column_of(schema, name) for name in shown_figures(schema, every)]
    figures = [(column, writer(column, every)) for column in shown if column.is_number]
    for rows in shared:
        first = rows[0]
        if first is None:
            continue
        where = phrases({name: first[name] for name in names})
        common = (schema.name, where, name_of(first), style.shades(str(first["method"])).dark)
        if len({row["status"] for row in rows if row is not None}) > 1:
            states = ["" if row is None else ended(row) for row in rows]
            yield FigureChange(*common, "outcome", states, [None] * len(rows), inf)
        for column, write in figures:
            if sum(row is not None and row[column.name] is not None for row in rows) > 1:
                texts = ["" if row is None else write(row) for row in rows]
                ratios, size = _ratios(column, rows)
                yield FigureChange(*common, column.heading, texts, ratios, size)


def _ratios(column: Column, rows: Sequence[Row | None]) -> tuple[list[float | None], float]:
    values = [_value(column, row) for row in rows]
    first = values[0]
    ratios: list[float | None] = [None]
    size = 0.0
    for value in values[1:]:
        if first is None or value is None:
            ratios.append(None)
        elif first == value or (isnan(first) and isnan(value)):
            ratios.append(1.0)
        elif first == 0 or value / first <= 0 or not isfinite(value / first):
            ratios.append(None)
            size = inf
        else:
            ratios.append(value / first)
            size = max(size, abs(log(value / first)))
    return ratios, size


def _value(column: Column, row: Row | None) -> float | None:
    value = None if row is None else row[column.name]
    if not isinstance(value, int | float):
        return None
    return 0.0 if is_rounding(column, value) else float(value)
