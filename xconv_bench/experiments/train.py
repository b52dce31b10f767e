"""Tasks trained with each method: a row an epoch, on the disk as soon as it exists."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from xconv_bench.configuration import Configuration, TrainingConfiguration
from xconv_bench.events import Progress, Work
from xconv_bench.experiments.cross_checks import judge
from xconv_bench.experiments.rows import Watcher, measure_missing
from xconv_bench.experiments.writing import RowWriter, rows_of
from xconv_bench.launch import Job, Launcher, Listener, Outcome, Runner
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
    """Train what the table does not hold to its end; return all rows in the order of the plan.

    The row of the last epoch says how a training ended; one that has it is not repeated.
    ``simulated`` makes what simulates a step of the training, in a process of its own.
    ``forget`` is told of each that will not be gone on from, its rows being on the disk.
    """
    measure_missing(
        [(cell,) for cell in cells],
        RowWriter(table, known_by=lambda row: {"epoch": row["epochs"]}, at_once=True),
        launcher,
        _Forgetting(watcher, forget),
        lambda group: Job(group, partial(_train, training(group[0]), simulated(group[0]))),
    )
    return rows_of(cells, table, by="epoch")


def _train(training: Work, simulated: Work, runner: Runner, listener: Listener) -> Outcome:
    outcome = runner.run(training, listener)
    if outcome.rows and outcome.status == "ok":
        simulation = runner.run(simulated)
        peak_bytes = simulation.readings.get("simulated_peak_bytes")
        outcome.add({"simulated_peak_bytes": peak_bytes})
        judge(outcome, simulation)
    return outcome


class _Forgetting:
    """Watches trainings, and forgets where one stood as soon as it is at its end."""

    def __init__(self, watcher: Watcher, forget: Callable[[Configuration], None]) -> None:
        self._watcher = watcher
        self._forget = forget

    def started(self, configuration: Configuration) -> None:
        self._watcher.started(configuration)

    def progressed(self, configuration: Configuration, progress: Progress) -> None:
        self._watcher.progressed(configuration, progress)

    def wrote(self, configuration: Configuration, rows: Sequence[Mapping[str, Any]]) -> None:
        self._watcher.wrote(configuration, rows)

    def finished(self, configuration: Configuration, row: dict[str, Any], known: bool) -> None:
        if row["status"] in FINAL_STATUSES:
            self._forget(configuration)
        self._watcher.finished(configuration, row, known)
