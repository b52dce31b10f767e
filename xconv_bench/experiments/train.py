"""Tasks trained with each method: a row an epoch, on the disk as soon as it exists."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from threading import Lock
from typing import Any

from xconv_bench.configuration import Configuration, TrainingConfiguration
from xconv_bench.experiments.cross_checks import judge
from xconv_bench.experiments.rows import Watcher, key_of, key_of_row, measure_missing
from xconv_bench.launch import Job, Launcher, Outcome
from xconv_bench.launch.job import Progress, Stage
from xconv_bench.launch.worker import Work
from xconv_bench.results.statuses import FINAL_STATUSES
from xconv_bench.results.table import Row, Table


def measure_training(
    cells: Sequence[TrainingConfiguration],
    table: Table,
    launcher: Launcher,
    watcher: Watcher,
    training: Callable[[TrainingConfiguration], Work],
    simulated: Callable[[TrainingConfiguration], Work],
    forget: Callable[[Configuration], None],
) -> list[Row]:
    """Train what the table does not hold to its end; the rows of all, in the order of the plan.

    The row of the last epoch says how a training ended; one that has it is not repeated.
    ``simulated`` makes what simulates a step of the training, in a process of its own.
    ``forget`` is told of each that will not be gone on from, its rows being on the disk.
    """
    writing = _Writing(table, watcher, forget)
    measure_missing(
        [(cell,) for cell in cells],
        _last_rows(table),
        launcher,
        writing,
        lambda group: Job(group, partial(_train, training(group[0]), simulated(group[0]))),
        lambda done, outcome: [writing.end(done.cells[0], outcome)],
    )
    return rows_of(cells, table)


def _train(training: Work, simulated: Work, launcher: Launcher, on_progress: Progress) -> Outcome:
    outcome = launcher.run(training, on_progress)
    rows = outcome.readings.get("rows")
    if rows and outcome.status == "ok":
        simulation = launcher.run(simulated)
        rows[-1]["simulated_peak_bytes"] = simulation.readings.get("simulated_peak_bytes")
        judge(outcome, simulation)
    return outcome


def rows_of(cells: Sequence[Configuration], table: Table) -> list[Row]:
    """The rows of these cells, in the order of the plan and of the epochs."""
    found: dict[tuple[str, ...], list[Row]] = {}
    for row in table.rows():
        found.setdefault(_cell_key(row, table), []).append(row)
    return [
        row
        for cell in cells
        for row in sorted(found.get(key_of(cell), []), key=lambda row: int(row["epoch"] or 0))
    ]


class _Writing:
    """Passes on what is told, and writes the rows among it; several threads may tell."""

    def __init__(
        self, table: Table, watcher: Watcher, forget: Callable[[Configuration], None]
    ) -> None:
        self._table = table
        self._watcher = watcher
        self._forget = forget
        self._lock = Lock()

    def started(self, configuration: Configuration) -> None:
        self._watcher.started(configuration)

    def progressed(self, configuration: Configuration, done: float | Stage) -> None:
        if isinstance(done, Stage) and done.row is not None:
            with self._lock:
                self._table.put({**configuration.key, "status": "ok", **done.row})
        self._watcher.progressed(configuration, done)

    def finished(self, configuration: Configuration, row: dict[str, Any], known: bool) -> None:
        self._watcher.finished(configuration, row, known)

    def end(self, cell: Configuration, outcome: Outcome) -> Row:
        """Write all rows, the last with how it ended; that one also where nothing was trained."""
        rows = list(outcome.readings.get("rows") or [{"epoch": cell.key["epochs"]}])
        complete = [{**cell.key, "status": "ok", **row} for row in rows]
        complete[-1] |= {"status": outcome.status, "message": outcome.message}
        with self._lock:
            self._table.put(*complete)
        if outcome.status in FINAL_STATUSES:
            self._forget(cell)
        return complete[-1]


def _last_rows(table: Table) -> dict[tuple[str, ...], Row]:
    return {_cell_key(row, table): row for row in table.rows() if row["epoch"] == row["epochs"]}


def _cell_key(row: Row, table: Table) -> tuple[str, ...]:
    return key_of_row(row, [name for name in table.key_columns if name != "epoch"])
