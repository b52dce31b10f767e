"""Gradients held against the exact ones: a configuration becomes a row for each layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from xconv_bench.configuration import Configuration
from xconv_bench.launch import Launcher, Outcome
from xconv_bench.launch.worker import Work
from xconv_bench.results.columns import ALL_LAYERS, FINAL_STATUSES
from xconv_bench.results.table import Row, Table

Cell = TypeVar("Cell", bound=Configuration)


class Watcher(Protocol):
    """Who is told how the experiment gets on."""

    def started(self, configuration: Configuration) -> None:
        """A measurement begins."""

    def progressed(self, fraction: float) -> None:
        """So much of it is done, from 0 to 1."""

    def finished(self, configuration: Configuration, row: dict[str, Any], known: bool) -> None:
        """Its rows are on the disk; ``row`` is that of all layers."""


def measure_gradients(
    configurations: Sequence[Cell],
    tables: Sequence[Table],
    launcher: Launcher,
    watcher: Watcher,
    measurement: Callable[[Cell], Work],
) -> None:
    """Measure what the tables do not hold yet.

    ``measurement`` makes the task of a configuration, which yields ``rows``: for each of the
    ``tables``, by its name, rows without their key. The last table is written last, its row of all
    layers last of all: a configuration that has this row has all the others.
    """
    last = tables[-1]
    measured = {_cell(row, last): row for row in last.rows() if row["layer"] == ALL_LAYERS}
    for configuration in configurations:
        row = measured.get(tuple(configuration.key.values()))
        known = row is not None and row["status"] in FINAL_STATUSES
        if not known:
            watcher.started(configuration)
            outcome = launcher.run(measurement(configuration), watcher.progressed)
            row = _put(configuration, outcome, tables)
        assert row is not None
        watcher.finished(configuration, row, known)


def rows_of(configurations: Sequence[Configuration], table: Table) -> list[Row]:
    """The rows of these configurations in ``table``, in the order of the plan."""
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in table.rows():
        found.setdefault(_cell(row, table), []).append(row)
    return [row for each in configurations for row in found.get(tuple(each.key.values()), [])]


def _put(configuration: Configuration, outcome: Outcome, tables: Sequence[Table]) -> Row:
    """Write the rows of an outcome; the row of all layers, also where nothing was measured."""
    rows = outcome.readings.get("rows", {})
    end = {"status": outcome.status, "message": outcome.message}
    whole: Row = {**configuration.key, "layer": ALL_LAYERS, **end}
    for table in tables:
        complete: list[Row] = [
            {**configuration.key, "status": "ok", "message": "", **row}
            for row in rows.get(table.path.stem, [])
        ]
        if table is tables[-1]:
            complete = complete or [whole]
            complete[-1] |= end
            whole = complete[-1]
        if complete:
            table.put(*complete)
    return whole


def _cell(row: Row, table: Table) -> tuple[Any, ...]:
    """The configuration that a row belongs to: its key without what tells layers apart."""
    names = table.key_columns[: table.key_columns.index("layer")]
    return tuple(row[name] for name in names)
