"""Add ``--snapshot`` to an experiment: the memory of a step over time, a file for each method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xconv_bench.cli.experiment import Experiment

if TYPE_CHECKING:
    from xconv_bench.cli.progress import SweepProgress
    from xconv_bench.results.run_directory import RunDirectory
    from xconv_bench.results.table import Row

Snapshot = Annotated[
    bool,
    typer.Option(
        "--snapshot",
        help="Write the memory of a step over time into the run directory: on a GPU torch's "
        "snapshot for pytorch.org/memory_viz, else a simulated trace for ui.perfetto.dev. Each "
        "method is measured once more.",
    ),
]


def snapshotted(experiment: Experiment) -> Experiment:
    """Return the experiment with files of its cells' memory over time."""
    written: list[Path] = []

    def measure(run: RunDirectory, progress: SweepProgress) -> list[Row]:
        from xconv_bench.experiments.snapshots import write_snapshots

        rows = experiment.measure(run, progress)
        progress.prepares("writing the memory over time")
        written[:] = write_snapshots(
            experiment.cells, rows, run.snapshots, experiment.launcher, progress.says
        )
        return rows

    def draw(rows: list[Row], run: RunDirectory) -> Sequence[Path]:
        return [*experiment.draw(rows, run), *written]

    return replace(experiment, measure=measure, draw=draw)
