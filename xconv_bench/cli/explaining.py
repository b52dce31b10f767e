"""Add ``--explain`` to an experiment: what holds the memory, printed below its table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from xconv_bench.cli.experiment import Experiment

if TYPE_CHECKING:
    from xconv_bench.cli.progress import SweepProgress
    from xconv_bench.report.tables.explanation import Explained
    from xconv_bench.results.run_directory import RunDirectory
    from xconv_bench.results.table import Row

Explain = Annotated[
    bool,
    typer.Option(
        "--explain",
        help="Show what holds the memory: which modules keep how much for the backward pass, and "
        "what else lives at the peak. Each method is measured once more.",
    ),
]


def explained(experiment: Experiment) -> Experiment:
    """Return the experiment with what holds the memory of its cells below its own table."""
    found: list[Explained] = []

    def measure(run: RunDirectory, progress: SweepProgress) -> list[Row]:
        from xconv_bench.experiments.explain import explain_cells

        rows = experiment.measure(run, progress)
        progress.prepares("looking at what holds the memory")
        found[:] = explain_cells(experiment.cells, rows, experiment.launcher)
        return rows

    def show(rows: Sequence[Row], run: RunDirectory) -> None:
        from xconv_bench.report.tables.explanation import print_explanations

        experiment.show(list(rows), run)
        print_explanations(found)

    return replace(experiment, measure=measure, show=show)
