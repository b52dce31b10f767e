"""A configuration becomes rows: measured once, on the disk at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any, Protocol, TypeVar

from xconv_bench.configuration import Configuration
from xconv_bench.experiments.cross_checks import CrossChecks
from xconv_bench.launch import Job, Launcher, Outcome
from xconv_bench.launch.job import Watcher as JobWatcher
from xconv_bench.results.schema import COLUMNS
from xconv_bench.results.statuses import FINAL_STATUSES
from xconv_bench.results.table import Row, Table

Cell = TypeVar("Cell", bound=Configuration)


def unchecked(cell: Configuration) -> bool:
    """False: nothing of this cell is to be cross-checked."""
    return False


class Watcher(JobWatcher, Protocol):
    """Who is told how the experiment gets on."""

    def finished(self, configuration: Configuration, row: dict[str, Any], known: bool) -> None:
        """Its rows are on the disk; ``known`` if they were there before."""


def measure_rows(
    cells: Iterable[Cell],
    table: Table,
    launcher: Launcher,
    watcher: Watcher,
    job: Callable[[Cell], Job],
    checked: Callable[[Cell], bool] = unchecked,
) -> list[Row]:
    """Measure what the table does not hold yet; the rows of all, in the order of the plan.

    ``checked`` says which cells have simulated figures that a real step is to confirm.
    """
    plan = list(cells)

    def write(done: Job, outcome: Outcome) -> list[Row]:
        (cell,) = done.cells
        table.put({**cell.key, **outcome.row})
        row = table.find(cell.key)
        assert row is not None
        return [row]

    rows = measure_missing(
        [(cell,) for cell in plan],
        rows_by_cell(table),
        launcher,
        watcher,
        lambda group: job(group[0]),
        write,
        checked,
    )
    return [rows[cell] for cell in plan]


def measure_missing(
    groups: Sequence[tuple[Cell, ...]],
    found: Mapping[tuple[str, ...], Row],
    launcher: Launcher,
    watcher: Watcher,
    job: Callable[[tuple[Cell, ...]], Job],
    write: Callable[[Job, Outcome], Iterable[Row]],
    checked: Callable[[Cell], bool] = unchecked,
) -> dict[Configuration, Row]:
    """The rows that cells are known by: those ``found`` before, or else measured and written.

    The cells of a group are measured in one job; where anything of it is missing, all of it is.
    ``write`` puts rows on the disk, and returns for each cell the one that it is known by.
    ``checked`` is as for ``measure_rows``.
    """
    rows: dict[Configuration, Row] = {}
    missing, doubted = [], []
    for group in groups:
        known = {cell: found[key_of(cell)] for cell in group if key_of(cell) in found}
        if len(known) < len(group) or any(not _is_final(row) for row in known.values()):
            missing.append(job(group))
            doubted += [cell for cell in group if checked(cell)]
            continue
        for cell, row in known.items():
            rows[cell] = row
            watcher.finished(cell, row, True)
    checks = CrossChecks(doubted, launcher)
    # Closed at once where a row cannot be written: what runs meanwhile is ended.
    with closing(launcher.each(missing, watcher)) as results:
        for done, outcome in results:
            for each in done.cells:
                checks.apply(each, outcome)
            for measured, row in zip(done.cells, write(done, outcome), strict=True):
                rows[measured] = row
                watcher.finished(measured, row, False)
    return rows


def rows_by_cell(table: Table, **chosen: Any) -> dict[tuple[str, ...], Row]:
    """The rows of a table that have the values ``chosen``, by the keys of their cells."""
    names = [column for column in table.key_columns if column not in chosen]
    return {
        key_of_row(row, names): row
        for row in table.rows()
        if all(row[column] == value for column, value in chosen.items())
    }


def key_of(cell: Configuration) -> tuple[str, ...]:
    """Return the values of a cell's key as tables hold them: some names cannot be written."""
    return key_of_row(cell.key, cell.key)


def key_of_row(row: Mapping[str, Any], names: Iterable[str]) -> tuple[str, ...]:
    """Return the values of these columns as tables hold them."""
    return tuple(COLUMNS[name].write(row[name]) for name in names)


def _is_final(row: Row) -> bool:
    return row["status"] in FINAL_STATUSES
