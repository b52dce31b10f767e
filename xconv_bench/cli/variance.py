"""``xconv-bench variance``: measure the noise that the estimator adds to that of minibatches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from xconv_bench.cli import options
from xconv_bench.cli.experiment import Experiment
from xconv_bench.cli.given import GradientOptions, taking
from xconv_bench.cli.gradients import gradient_plan
from xconv_bench.configuration import VarianceConfiguration
from xconv_bench.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from xconv_bench.cli.progress import SweepProgress
    from xconv_bench.results.run_directory import RunDirectory
    from xconv_bench.results.table import Row

_PROBES = ["4,16,64,256"]
_BATCH_SIZES = ["64,128"]

Minibatches = Annotated[
    int,
    typer.Option(
        "--minibatches",
        metavar="N",
        help="Estimate the variance over minibatches from N of them.",
        min=3,
        callback=options.sane,
    ),
]
TargetRatio = Annotated[
    float,
    typer.Option(
        "--target-ratio",
        metavar="X",
        help="Find the fewest probes whose variance is at most X times that over minibatches.",
        min=1e-9,
        callback=options.finite,
    ),
]


@taking(
    GradientOptions,
    without=("inputs", "loss", "cross_check"),
    scheme=[options.ALL_SCHEMES],
    probes=_PROBES,
    batch_size=_BATCH_SIZES,
)
def variance(
    given: GradientOptions,
    minibatches: Minibatches = VarianceConfiguration.minibatches,
    repeats: options.EstimatorSeeds = VarianceConfiguration.repeats,
    target_ratio: TargetRatio = 1.0,
) -> Experiment:
    """Measure how much noise the estimator adds to the noise of drawing minibatches.

    The table compares, layer by layer, the variance of the estimator on one minibatch with the
    variance of the exact gradient over minibatches; a ratio of 1 doubles the total variance.
    """
    from xconv_bench.experiments.writing import rows_of
    from xconv_bench.measurement.variance import VarianceMeasurement
    from xconv_bench.report.pictures import plot
    from xconv_bench.report.rows import Beside
    from xconv_bench.report.tables import print_table

    plan = gradient_plan(given)
    cells = [
        cell.extended(VarianceConfiguration, minibatches=minibatches, repeats=repeats)
        for cell in plan.configurations(takes_inputs=False)
    ]
    for cell in cells:
        if cell.batch_size == cell.samples:
            raise UsageError(
                f"--batch-size {cell.batch_size} is all of the data: its minibatches do not vary; "
                "take a smaller batch, or more --samples where there are more"
            )

    def beside(run: RunDirectory) -> Beside:
        return Beside(run.table("variance_law").rows(), layers=plan.layers or None)

    def measure(run: RunDirectory, progress: SweepProgress) -> list[Row]:
        plan.measure(cells, run, ("estimates", "variance"), VarianceMeasurement, progress)
        _fit_laws(run, target_ratio)
        return rows_of(cells, run.table("variance"))

    def draw(rows: list[Row], run: RunDirectory) -> Sequence[Path]:
        single = rows_of(cells, run.table("estimates"))
        return [
            *plot("variance", rows, run.plots, beside(run)),
            *plot("estimates", single, run.plots, beside(run)),
        ]

    return Experiment(
        name="variance",
        cells=cells,
        tables=("variance", "estimates", "variance_law"),
        launcher=plan.launcher,
        measure=measure,
        draw=draw,
        show=lambda rows, run: print_table("variance", rows, beside(run)),
        steps=minibatches * (repeats + 1),
        output=given.output,
    )


def _fit_laws(run: RunDirectory, target_ratio: float) -> None:
    """Fit the laws to all rows of the table, those of earlier runs into this directory, too."""
    from xconv_bench.statistics.law import fit_laws

    law = run.table("variance_law")
    laws = fit_laws(run.table("variance").rows(), target_ratio)
    law.clear()  # it follows from the rows, and they may have become more
    law.put(*laws)
