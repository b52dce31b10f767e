"""``xconv-bench frontier``: compare error and time of methods for the memory they save."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xconv_bench.cli import options
from xconv_bench.cli.experiment import Experiment
from xconv_bench.cli.given import GradientOptions, taking
from xconv_bench.cli.gradients import gradient_plan
from xconv_bench.methods import METHODS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xconv_bench.cli.progress import SweepProgress
    from xconv_bench.configuration import GradientConfiguration
    from xconv_bench.experiments.gradient_plan import GradientPlan
    from xconv_bench.results.run_directory import RunDirectory
    from xconv_bench.results.table import Row

TABLES = ("memory", "runtime", "error", "frontier")


@taking(
    GradientOptions,
    without=("layer",),
    method=[",".join(METHODS)],
    scheme=["independent,multi,spectral"],
    probes=["16,64,256"],
    bits=["0.25,0.5,1,2,4"],
    keep=["0.03,0.1"],
    budget=["0.2,0.5"],
)
def frontier(
    given: GradientOptions,
    repeats: options.EstimatorSeeds = 8,
    rounds: options.Rounds = 7,
) -> Experiment:
    """Compare methods by the error and time of a training step against its peak memory.

    Memory, time and error are measured as the commands memory, runtime and error do. Methods that
    no other method beats form the frontier; the table names what beats each of the rest.
    """
    from xconv_bench.experiments import frontier as joined
    from xconv_bench.report.pictures import plot
    from xconv_bench.report.tables.methods import print_frontier_table

    plan = gradient_plan(given)
    cells = plan.configurations()
    errors = [joined.error_cell(cell, repeats) for cell in cells]
    peaks = [joined.memory_cell(cell) for cell in cells]
    steps = [joined.runtime_cell(cell) for cell in cells]

    return Experiment(
        name="frontier",
        cells=[*errors, *peaks, *steps],
        tables=TABLES,
        launcher=plan.launcher,
        measure=lambda run, progress: measure_frontier(
            plan, cells, run, progress, repeats, rounds, given.cross_check
        ),
        draw=lambda rows, run: plot("frontier", rows, run.plots),
        show=lambda rows, run: print_frontier_table(rows),
        steps=(repeats + rounds) // 2 + 4,
        output=given.output,
    )


def measure_frontier(
    plan: GradientPlan,
    cells: Sequence[GradientConfiguration],
    run: RunDirectory,
    progress: SweepProgress,
    repeats: int,
    rounds: int,
    cross_check: bool,
) -> list[Row]:
    """Measure memory, time and error of all ``cells``; return the rows of ``frontier.csv``."""
    from xconv_bench.experiments import frontier as joined
    from xconv_bench.experiments.memory import measure_memory
    from xconv_bench.experiments.runtime import measure_runtime
    from xconv_bench.measurement.error import ErrorMeasurement

    memory, runtime, error, table = (run.table(name) for name in TABLES)
    errors = [joined.error_cell(cell, repeats) for cell in cells]
    peaks = [joined.memory_cell(cell) for cell in cells]
    steps = [joined.runtime_cell(cell) for cell in cells]
    plan.measure(errors, run, ("error",), ErrorMeasurement, progress)
    measure_memory(peaks, memory, plan.launcher, progress, 1, cross_check)
    measure_runtime(steps, runtime, plan.launcher, progress, rounds)
    rows = joined.frontier_rows(cells, memory, runtime, error, repeats)
    table.clear()  # it follows from the others, and they may have become more
    table.put(*rows)
    return table.rows()
