"""Configurations that become rows: measured once, on the disk at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any, Protocol, TypeVar

from xconv_bench.configuration import Configuration
from xconv_bench.events import Progress, Rows
from xconv_bench.experiments.cross_checks import CrossChecks
from xconv_bench.experiments.writing import RowWriter, key_of
from xconv_bench.launch import Job, Launcher
from xconv_bench.results.statuses import FINAL_STATUSES
from xconv_bench.results.table import Row, Table

AnyConfiguration = TypeVar("AnyConfiguration", bound=Configuration)


def unchecked(cell: Configuration) -> bool:
    """Return False: nothing of this cell is to be cross-checked."""
    return False


class Watcher(Protocol):
    """Watches an experiment on behalf of the user."""

    def started(self, configuration: Configuration) -> None:
        """Hear that the measurement of this cell, perhaps with others, begins."""

    def progressed(self, configuration: Configuration, progress: Progress) -> None:
        """Hear how much of its measurement is done."""

    def wrote(self, configuration: Configuration, rows: Sequence[Mapping[str, Any]]) -> None:
        """Hear of rows that are on the disk before its measurement ends."""

    def finished(self, configuration: Configuration, row: dict[str, Any], known: bool) -> None:
        """Hear that its rows are on the disk; ``known`` if they were there before."""


def measure_rows(
    cells: Iterable[AnyConfiguration],
    table: Table,
    launcher: Launcher,
    watcher: Watcher,
    job: Callable[[AnyConfiguration], Job],
    checked: Callable[[AnyConfiguration], bool] = unchecked,
) -> list[Row]:
    """Measure what the table does not hold yet; return all rows in the order of the plan.

    ``checked`` says which cells have simulated figures that a real step is to confirm.
    """
    plan = list(cells)
    rows = measure_missing(
        [(cell,) for cell in plan],
        RowWriter(table),
        launcher,
        watcher,
        lambda group: job(group[0]),
        checked,
    )
    return [rows[cell] for cell in plan]


def measure_missing(
    groups: Sequence[tuple[AnyConfiguration, ...]],
    writer: RowWriter,
    launcher: Launcher,
    watcher: Watcher,
    job: Callable[[tuple[AnyConfiguration, ...]], Job],
    checked: Callable[[AnyConfiguration], bool] = unchecked,
) -> dict[Configuration, Row]:
    """Return the rows that cells are known by: found by the ``writer``, or measured and written.

    The cells of a group are measured in one job; where anything of it is missing, all of it is.
    ``checked`` is as for ``measure_rows``.
    """
    rows: dict[Configuration, Row] = {}
    missing, doubted = [], []
    found = writer.found()
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
    with closing(launcher.each(missing, _Hearing(writer, watcher))) as results:
        for done, outcome in results:
            for each in done.cells:
                checks.apply(each, outcome)
            for measured, row in zip(done.cells, writer.write(done, outcome), strict=True):
                rows[measured] = row
                watcher.finished(measured, row, False)
    return rows


class _Hearing:
    """Passes progress on to the watcher, and rows to the writer."""

    def __init__(self, writer: RowWriter, watcher: Watcher) -> None:
        self._writer = writer
        self._watcher = watcher

    def started(self, configuration: Configuration) -> None:
        self._watcher.started(configuration)

    def heard(self, configuration: Configuration, event: Progress | Rows) -> None:
        if isinstance(event, Rows):
            written = self._writer.hear(configuration, event)
            if written:
                self._watcher.wrote(configuration, written)
        else:
            self._watcher.progressed(configuration, event)


def _is_final(row: Row) -> bool:
    return row["status"] in FINAL_STATUSES
