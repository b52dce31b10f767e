"""Gradients held against the exact ones: a configuration becomes a row for each layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from xconv_bench.configuration import Configuration
from xconv_bench.experiments.rows import Watcher, key_of, key_of_row, measure_missing, rows_by_cell
from xconv_bench.launch import Job, Launcher, Outcome
from xconv_bench.launch.worker import Work
from xconv_bench.results.schema import ALL_LAYERS
from xconv_bench.results.table import Row, Table

Cell = TypeVar("Cell", bound=Configuration)


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
    measure_missing(
        [(configuration,) for configuration in configurations],
        rows_by_cell(tables[-1], layer=ALL_LAYERS),
        launcher,
        watcher,
        lambda group: Job.of(measurement(group[0]), *group),
        lambda done, outcome: [_put(done.cells[0], outcome, tables)],
    )


def rows_of(configurations: Sequence[Configuration], table: Table) -> list[Row]:
    """The rows of these configurations in ``table``, in the order of the plan."""
    found: dict[tuple[str, ...], list[Row]] = {}
    for row in table.rows():
        found.setdefault(_cell(row, table), []).append(row)
    return [row for each in configurations for row in found.get(key_of(each), [])]


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


def _cell(row: Row, table: Table) -> tuple[str, ...]:
    """Return the configuration that a row belongs to: its key without what tells layers apart."""
    return key_of_row(row, table.key_columns[: table.key_columns.index("layer")])
