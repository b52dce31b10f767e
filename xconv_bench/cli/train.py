"""``xconv-bench train``: train networks with each method and compare the results with exact."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from xconv_bench import parsing
from xconv_bench.cli import options
from xconv_bench.cli.experiment import Experiment, exit_code
from xconv_bench.cli.given import SweepOptions, taking
from xconv_bench.cli.streams import tell
from xconv_bench.cli.sweeps import read_devices, read_launcher, read_sweep
from xconv_bench.errors import UsageError

if TYPE_CHECKING:
    pass

ALL_TASKS = "classification,generation,super-resolution,inpainting,segmentation,segmentation-3d"
_OWN = "the task's own"

Tasks = Annotated[
    list[str],
    typer.Option(
        "--task",
        metavar="NAME...",
        help=f"Task to train for: {ALL_TASKS.replace(',', ', ')}.",
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="Network to train: a name from `xconv-bench models`, timm:NAME, monai:NAME, or your "
        "own as file.py:callable.",
        show_default=_OWN,
        rich_help_panel=options.NETWORK,
    ),
]
Seeds = Annotated[
    int,
    typer.Option(
        "--seeds",
        metavar="N",
        help="Train everything N times, the first time with --seed, then with the seeds after it.",
        min=1,
        callback=options.few,
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option(
        "--epochs",
        metavar="N",
        help="Train for N epochs.",
        min=1,
        callback=options.sane,
        show_default=_OWN,
    ),
]
LearningRate = Annotated[
    float | None,
    typer.Option(
        "--learning-rate",
        metavar="X",
        help="Learning rate at the batch size of --batch-size.",
        min=0,
        callback=options.finite,
        show_default=_OWN,
    ),
]
BatchSize = Annotated[
    int | None,
    typer.Option(
        "--batch-size",
        metavar="N",
        help="Batch size: samples per training step.",
        min=1,
        callback=options.sane,
        show_default=_OWN,
        rich_help_panel=options.NETWORK,
    ),
]
ImageSize = Annotated[
    int | None,
    typer.Option(
        "--image-size",
        metavar="N",
        help="Width and height of the images in pixels.",
        min=1,
        callback=options.sane,
        show_default=_OWN,
        rich_help_panel=options.NETWORK,
    ),
]
TaskData = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="NAME",
        help="Data set to train on: one that comes with a package, or, with --data-dir, mnist, "
        "cifar10 or oxford-pet.",
        show_default=_OWN,
        rich_help_panel=options.DATA,
    ),
]
EqualMemory = Annotated[
    bool,
    typer.Option(
        "--equal-memory",
        help="Train each method with the largest batch that fits in the memory of the exact "
        "method; the learning rate grows with the square root of the batch size.",
    ),
]


@taking(
    SweepOptions,
    without=("model", "batch_size", "image_size", "frames", "inputs", "loss", "dtype"),
    probes=["4,16,64"],
    timeout=86400.0,
)
def train(
    given: SweepOptions,
    task: Tasks = ["classification"],  # noqa: B006 typer reads it, and nobody writes
    seeds: Seeds = 1,
    epochs: Epochs = None,
    learning_rate: LearningRate = None,
    model: Model = None,
    batch_size: BatchSize = None,
    image_size: ImageSize = None,
    data: TaskData = None,
    data_dir: options.DataDir = None,
    download: options.Download = False,
    equal_memory: EqualMemory = False,
    log: options.Log = None,
) -> Experiment:
    """Train the same network from the same weights on the same batches with each method.

    The results show the measure of the task after every epoch, the gap to the exact method with its
    confidence interval over seeds, memory, time, and pictures that the trained networks make.
    """
    from xconv_bench.experiments.training_plan import TrainingPlan
    from xconv_bench.report.pictures import plot
    from xconv_bench.report.rows import Beside
    from xconv_bench.report.tables import print_table
    from xconv_bench.tasks import TaskOptions

    wanted = TaskOptions(
        given.seed, batch_size, epochs, learning_rate, data, data_dir, model, image_size, download
    )
    if learning_rate == 0:
        raise UsageError("--learning-rate 0 trains nothing: give a rate above 0")
    places = options.read_log(log)
    # Each task has its own model, batch and size.
    sweep = read_sweep(replace(given, model=["task"]), read_devices(given.device))
    tasks = parsing.words("--task", task)
    plan = TrainingPlan.of(tasks, wanted, sweep, read_launcher(given), given.cross_check)
    cells = plan.cells(seeds)
    if equal_memory:
        cells = plan.at_equal_memory(cells, says=tell)
    return Experiment(
        name="train",
        cells=cells,
        tables=("training",),
        launcher=plan.launcher,
        measure=partial(plan.measure, cells),
        draw=lambda rows, run: plot("training", rows, run.plots, Beside(made=run.pictures)),
        show=lambda rows, run: print_table("training", rows),
        code=lambda rows: exit_code([row for row in rows if row["epoch"] == row["epochs"]]),
        steps=1,
        output=given.output,
        log=places,
        estimate=plan.estimate,
    )
