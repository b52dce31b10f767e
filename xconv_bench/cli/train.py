"""``xconv-bench train``: whether networks train as well with a method as they do exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import sqrt
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xconv_bench.cli import options, parsing
from xconv_bench.cli.experiment import Experiment, exit_code
from xconv_bench.cli.given import SweepOptions, taking
from xconv_bench.cli.streams import tell
from xconv_bench.cli.sweeps import neediest, read_devices, read_launcher, read_sweep
from xconv_bench.errors import BenchError, UsageError

if TYPE_CHECKING:
    from xconv_bench.cli.progress import SweepProgress
    from xconv_bench.configuration import Configuration, TrainingConfiguration
    from xconv_bench.launch import Launcher
    from xconv_bench.measurement.task_step import TaskEstimate
    from xconv_bench.measurement.task_survey import MakeTask
    from xconv_bench.results.run_directory import RunDirectory
    from xconv_bench.results.table import Row
    from xconv_bench.tasks import TaskOptions

ALL_TASKS = "classification,generation,super-resolution,inpainting,segmentation,segmentation-3d"
_MOST_TIMES_LARGER = 32
"""A batch at equal memory is at most so many times the reference."""

Tasks = Annotated[
    list[str], typer.Option("--task", metavar="NAME...", help=ALL_TASKS.replace(",", ", ") + ".")
]
Model = Annotated[
    str | None,
    typer.Option("--model", metavar="NAME", help="The network.", show_default="the task's own"),
]
Seeds = Annotated[
    int,
    typer.Option(
        "--seeds",
        metavar="N",
        help="Trainings, each from a seed of its own.",
        min=1,
        callback=options.few,
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option(
        "--epochs",
        metavar="N",
        help="How long.",
        min=1,
        callback=options.sane,
        show_default="the task's own",
    ),
]
LearningRate = Annotated[
    float | None,
    typer.Option(
        "--learning-rate", metavar="X", help="At the reference batch.", min=0,
        callback=options.finite, show_default="the task's own",
    ),
]  # fmt: skip
BatchSize = Annotated[
    int | None,
    typer.Option(
        "--batch-size", metavar="N", help="The reference batch.", min=1, callback=options.sane,
        show_default="the task's own",
    ),
]  # fmt: skip
ImageSize = Annotated[
    int | None,
    typer.Option(
        "--image-size",
        metavar="N",
        help="Pixels a side.",
        min=1,
        callback=options.sane,
        show_default="the task's own",
    ),
]
TaskData = Annotated[
    str | None,
    typer.Option(
        "--data", metavar="NAME", show_default="the task's own",
        help="mnist, cifar10 or oxford-pet with --data-dir; else what comes with a package.",
    ),
]  # fmt: skip
EqualMemory = Annotated[
    bool,
    typer.Option(
        "--equal-memory",
        help="Each method at the largest batch that fits exact's memory, no larger than the data; "
        "the learning rate grows with the root of the batch, all tasks being trained by Adam.",
    ),
]


@taking(
    SweepOptions,
    without=("model", "batch_size", "image_size", "frames", "dtype"),
    probes=["4,16,64"],
    timeout=86400.0,
)
def train(
    given: SweepOptions,
    task: Tasks = ["classification"],  # noqa: B006 typer reads it, and nobody writes
    seeds: Seeds = 1,
    epochs: Epochs = None,
    learning_rate: LearningRate = None,
    batch_size: BatchSize = None,
    model: Model = None,
    image_size: ImageSize = None,
    data: TaskData = None,
    data_dir: options.DataDir = None,
    download: options.Download = False,
    equal_memory: EqualMemory = False,
) -> Experiment:
    """Train the same network from the same weights on the same batches with each method.

    Options marked ... take several values: repeat them, or put commas between.

    Shown are the task's own measure epoch by epoch, the gap to exact with its confidence interval
    over seeds, memory, time, and what the trained networks make.
    """
    from xconv_bench.report.pictures import Beside, plot
    from xconv_bench.report.training_table import print_training_table
    from xconv_bench.tasks import TaskOptions

    wanted = TaskOptions(
        given.seed, batch_size, epochs, learning_rate, data, data_dir, model, image_size, download
    )
    plan = _TrainingPlan.of(parsing.words("--task", task), wanted, given)
    cells = plan.cells(given, seeds)
    if equal_memory:
        cells = plan.at_equal_memory(cells)
    return Experiment(
        name="train",
        cells=cells,
        tables=("training",),
        launcher=plan.launcher,
        measure=partial(plan.measure, cells),
        draw=lambda rows, run: plot("training", rows, run.plots, Beside(made=run.pictures)),
        show=lambda rows, run: print_training_table(rows),
        code=lambda rows: exit_code([row for row in rows if row["epoch"] == row["epochs"]]),
        steps=1,
        output=given.output,
        estimate=plan.estimate,
    )


@dataclass(frozen=True)
class _TrainingPlan:
    """Tasks with their own choices, and what trains them."""

    wanted: TaskOptions
    known: dict[str, dict[str, Any]]
    devices: tuple[str, ...]
    launcher: Launcher
    cross_check: bool

    @classmethod
    def of(cls, tasks: Sequence[str], wanted: TaskOptions, given: SweepOptions) -> _TrainingPlan:
        """Raises UsageError for what a task does not take."""
        from xconv_bench.measurement.task_survey import MakeTask, TaskSurvey

        if wanted.learning_rate == 0:
            raise UsageError("--learning-rate 0 trains nothing: give a rate above 0")
        devices = read_devices(given.device)
        launcher = read_launcher(given)
        makers = tuple(MakeTask(name, wanted) for name in tasks)
        outcome = launcher.run(TaskSurvey(makers, devices), device=neediest(devices))
        if outcome.status != "ok":
            raise BenchError(outcome.message)
        tasks_known = outcome.readings["tasks"]
        return cls(wanted, tasks_known, devices, launcher, given.cross_check)

    def cells(self, given: SweepOptions, seeds: int) -> list[TrainingConfiguration]:
        """Each task with each method and each seed; those of one seed stand together."""
        from xconv_bench.configuration import TrainingConfiguration

        found = []
        for name, known in self.known.items():
            own = replace(
                given, model=[known["model"]], batch_size=[str(known["batch_size"])],
                image_size=[str(known["image_size"])],
            )  # fmt: skip
            sweep = read_sweep(own, self.devices)
            sweep = replace(sweep, models=(known["model"],))
            for seed in range(given.seed, given.seed + seeds):
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
        self, cells: Sequence[TrainingConfiguration]
    ) -> list[TrainingConfiguration]:
        """The cells with their largest batches, and the learning rates that go with them."""
        # Sizes do not depend on seeds.
        alike = dict.fromkeys(map(_seedless, cells))
        chosen = {cell: self._batch_at_equal_memory(cell) for cell in alike}
        found = []
        for cell in cells:
            size = chosen[_seedless(cell)]
            rate = float(f"{cell.learning_rate * sqrt(size / cell.batch_size):.3g}")
            found.append(replace(cell, batch_size=size, learning_rate=rate, equal_memory=1))
        return found

    def _batch_at_equal_memory(self, cell: TrainingConfiguration) -> int:
        """Says on stderr where it is not memory that has decided."""
        from xconv_bench.measurement.task_step import EqualMemoryBatch
        from xconv_bench.report.words import method_words

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
            tell(f"{head}: {outcome.message}: its batch stays {size}")
        elif size > most:
            tell(f"{head}: more would fit, its batch is {most} at the most")
        return min(size, most)

    def make(self, cell: TrainingConfiguration) -> MakeTask:
        """What makes the task of a cell."""
        from xconv_bench.measurement.task_survey import MakeTask

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
        """What simulates a training: all of its steps, of any seed."""
        from xconv_bench.measurement.task_step import TaskEstimate

        alike = _seedless(cell)
        return TaskEstimate(self.make(alike), alike)

    def measure(
        self, cells: Sequence[TrainingConfiguration], run: RunDirectory, progress: SweepProgress
    ) -> list[Row]:
        """Write the rows of all cells; what is there already is kept."""
        from xconv_bench.experiments.train import measure_training
        from xconv_bench.measurement.task_simulated import SimulatedTraining
        from xconv_bench.measurement.task_training import TaskTraining
        from xconv_bench.report.training_words import file_name

        def training(cell: TrainingConfiguration) -> TaskTraining:
            name = file_name(cell.key)
            return TaskTraining(
                cell, self.make(cell), (run.checkpoints / f"{name}.pt").absolute(),
                (run.pictures / name).absolute(),
            )  # fmt: skip

        def forget(cell: Configuration) -> None:
            (run.checkpoints / f"{file_name(cell.key)}.pt").unlink(missing_ok=True)

        def simulated(cell: TrainingConfiguration) -> SimulatedTraining:
            return SimulatedTraining(self.make(cell), cell, self.cross_check)

        table = run.table("training")
        return measure_training(cells, table, self.launcher, progress, training, simulated, forget)


def _seedless(cell: TrainingConfiguration) -> TrainingConfiguration:
    return replace(cell, seed=0)
