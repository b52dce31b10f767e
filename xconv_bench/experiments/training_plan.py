"""Plans of trainings: tasks with their own choices, and the batches of methods at equal memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any

from xconv_bench.configuration import Configuration, TrainingConfiguration
from xconv_bench.errors import BenchError, UsageError
from xconv_bench.experiments.rows import Watcher
from xconv_bench.experiments.surveys import neediest
from xconv_bench.experiments.sweep import Sweep
from xconv_bench.experiments.train import measure_training
from xconv_bench.launch import Launcher
from xconv_bench.measurement.task_memory import EqualMemoryBatch, TaskEstimate
from xconv_bench.measurement.task_simulated import SimulatedTraining
from xconv_bench.measurement.task_survey import MakeTask, TaskSurvey
from xconv_bench.measurement.task_training import TaskTraining
from xconv_bench.naming import method_words, training_name
from xconv_bench.results.run_directory import RunDirectory
from xconv_bench.results.table import Row
from xconv_bench.tasks import TaskOptions

_MOST_TIMES_LARGER = 32
"""At equal memory a batch is at most this many times as large as the reference batch."""


@dataclass(frozen=True)
class TrainingPlan:
    """The tasks to train for, with the choices that they make themselves, and the launcher.

    ``known`` holds the facts of ``TaskSurvey`` by the names of the tasks. The model and the sizes
    of the ``sweep`` are not read: those of each task take their place.
    """

    wanted: TaskOptions
    known: dict[str, dict[str, Any]]
    sweep: Sweep
    launcher: Launcher
    cross_check: bool

    @classmethod
    def of(
        cls,
        tasks: Sequence[str],
        wanted: TaskOptions,
        sweep: Sweep,
        launcher: Launcher,
        cross_check: bool,
    ) -> TrainingPlan:
        """Survey the tasks. Raises UsageError for an option that a task does not take."""
        makers = tuple(MakeTask(name, wanted) for name in tasks)
        outcome = launcher.run(TaskSurvey(makers, sweep.devices), device=neediest(sweep.devices))
        if outcome.status != "ok":
            raise BenchError(outcome.message)
        return cls(wanted, outcome.readings["tasks"], sweep, launcher, cross_check)

    def cells(self, seeds: int) -> list[TrainingConfiguration]:
        """Return each task with each method and each seed; cells of one seed stand together."""
        found = []
        for name, known in self.known.items():
            sweep = replace(
                self.sweep,
                models=(known["model"],),
                batch_sizes=(known["batch_size"],),
                image_sizes=(known["image_size"],),
            )
            for seed in range(sweep.seed, sweep.seed + seeds):
                for cell in replace(sweep, seed=seed).configurations({}):
                    found.append(
                        cell.extended(
                            TrainingConfiguration,
                            task=name,
                            data=known["data"],
                            learning_rate=known["learning_rate"],
                            epochs=known["epochs"],
                        )
                    )
        return found

    def at_equal_memory(
        self, cells: Sequence[TrainingConfiguration], says: Callable[[str], None]
    ) -> list[TrainingConfiguration]:
        """Return the cells with their largest batches and the learning rates for these.

        Calls ``says`` where another limit than memory decided. Raises UsageError for a task
        without batches.
        """
        # Sizes do not depend on seeds.
        alike = dict.fromkeys(map(_seedless, cells))
        chosen = {cell: self._batch_at_equal_memory(cell, says) for cell in alike}
        found = []
        for cell in cells:
            size = chosen[_seedless(cell)]
            rate = float(f"{cell.learning_rate * sqrt(size / cell.batch_size):.3g}")
            found.append(replace(cell, batch_size=size, learning_rate=rate, equal_memory=1))
        return found

    def _batch_at_equal_memory(
        self, cell: TrainingConfiguration, says: Callable[[str], None]
    ) -> int:
        known = self.known[cell.task]
        if not known["has_batches"]:
            raise UsageError(
                f"--equal-memory chooses batches, and {cell.task} trains on one image: leave out "
                "one of the two"
            )
        most = min(_MOST_TIMES_LARGER * cell.batch_size, known["sample_count"])
        outcome = self.launcher.run(EqualMemoryBatch(self.make(cell), cell, most + 1))
        if outcome.status not in ("ok", "unsupported"):
            raise BenchError(outcome.message)
        size: int = outcome.readings.get("batch_size", cell.batch_size)
        head = f"{cell.task}, {method_words(cell.key)}"
        if outcome.status == "unsupported":
            says(f"{head}: {outcome.message}: its batch stays {size}")
        elif size > most:
            says(f"{head}: more would fit, its batch is {most} at the most")
        return min(size, most)

    def make(self, cell: TrainingConfiguration) -> MakeTask:
        """Return what makes the task of a cell."""
        return MakeTask(
            cell.task,
            replace(
                self.wanted,
                seed=cell.seed,
                batch_size=cell.batch_size,
                epochs=cell.epochs,
                learning_rate=cell.learning_rate,
                data=cell.data,
                model=cell.model,
                image_size=cell.image_size,
            ),
        )

    def estimate(self, cell: TrainingConfiguration) -> TaskEstimate:
        """Return the work that simulates a training, the same for all seeds."""
        alike = _seedless(cell)
        return TaskEstimate(self.make(alike), alike)

    def measure(
        self, cells: Sequence[TrainingConfiguration], run: RunDirectory, watcher: Watcher
    ) -> list[Row]:
        """Measure the cells that the table lacks; return the rows of all cells."""

        def training(cell: TrainingConfiguration) -> TaskTraining:
            name = training_name(cell.key)
            return TaskTraining(
                cell, self.make(cell), (run.checkpoints / f"{name}.pt").absolute(),
                (run.pictures / name).absolute(),
            )  # fmt: skip

        def forget(cell: Configuration) -> None:
            (run.checkpoints / f"{training_name(cell.key)}.pt").unlink(missing_ok=True)

        def simulated(cell: TrainingConfiguration) -> SimulatedTraining:
            return SimulatedTraining(self.make(cell), cell, self.cross_check)

        table = run.table("training")
        return measure_training(cells, table, self.launcher, watcher, training, simulated, forget)


def _seedless(cell: TrainingConfiguration) -> TrainingConfiguration:
    return replace(cell, seed=0)
