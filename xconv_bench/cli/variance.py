"""``xconv-bench variance``: the noise that the estimator adds to that of minibatches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xconv_bench.cli import options
from xconv_bench.cli.given import GradientOptions, taking
from xconv_bench.cli.gradients import GradientPlan, gradient_plan, print_written
from xconv_bench.cli.resume import resumable
from xconv_bench.cli.sweeps import exit_code
from xconv_bench.configuration import VarianceConfiguration
from xconv_bench.errors import UsageError

if TYPE_CHECKING:
    from xconv_bench.results.run_directory import RunDirectory
    from xconv_bench.results.table import Row

_PROBES = ["4,16,64,256"]
_BATCH_SIZES = ["64,128"]


@taking(
    GradientOptions,
    scheme=[options.ALL_SCHEMES],
    probes=_PROBES,
    batch_size=_BATCH_SIZES,
)
def variance(
    given: GradientOptions,
    minibatches: options.Minibatches = 10,
    repeats: options.EstimatorSeeds = 2,
    target_ratio: options.TargetRatio = 1.0,
) -> int:
    """Measure how much noise the estimator adds to the noise that minibatches have anyway.

    Options marked ... take several values: repeat them, or put commas between.

    The variance of the gradient over minibatches, that of the estimator within each, and their
    ratio, layer by layer; a ratio of 1 doubles the variance.
    """
    from xconv_bench.measurement.variance import VarianceMeasurement
    from xconv_bench.results.run_directory import RunDirectory

    plan = gradient_plan(given)
    cells = [
        cell.extended(VarianceConfiguration, minibatches=minibatches, repeats=repeats)
        for cell in plan.configurations()
    ]
    for cell in cells:
        if cell.batch_size == cell.samples:
            raise UsageError(
                f"--batch-size {cell.batch_size} is all of the data: its minibatches do not vary; "
                "take a smaller batch, or more --samples where there are more"
            )
    with RunDirectory("variance", cells[0].model, given.output) as run, resumable(run):
        run.table("variance_law").rows()  # a file that is no table is not to be overwritten
        plan.measure(cells, run, ("estimates", "variance"), VarianceMeasurement)
        rows = _show(plan, cells, run, target_ratio)
    return exit_code(rows)


def _show(
    plan: GradientPlan,
    cells: list[VarianceConfiguration],
    run: RunDirectory,
    target_ratio: float,
) -> list[Row]:
    """Print and draw what was measured, fit the law, and return the rows of ``variance``."""
    from xconv_bench.experiments.gradients import rows_of
    from xconv_bench.report.estimates_plot import plot_estimates
    from xconv_bench.report.variance_plot import plot_variance
    from xconv_bench.report.variance_table import print_variance_table
    from xconv_bench.statistics.law import fit_laws

    table, single, law = (run.table(name) for name in ("variance", "estimates", "variance_law"))
    rows = rows_of(cells, table)
    # Of all that the table holds: earlier runs into this directory had other schemes, perhaps.
    laws = fit_laws(table.rows(), target_ratio)
    law.clear()  # it follows from the rows, and they may have become more
    law.put(*laws)
    layers = plan.layers or None
    pictures = [
        *plot_variance(rows, laws, run.plots, layers),
        *plot_estimates(rows_of(cells, single), run.plots, layers),
    ]
    print_variance_table(rows, laws, layers)
    print_written(run, table, single, law, pictures=pictures)
    return rows
