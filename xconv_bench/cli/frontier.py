"""``xconv-bench frontier``: what each method costs in error and time for the memory it saves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xconv_bench.cli import options
from xconv_bench.cli.given import GradientOptions, taking
from xconv_bench.cli.gradients import GradientPlan, gradient_plan, print_written
from xconv_bench.cli.resume import resumable
from xconv_bench.cli.sweeps import exit_code

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xconv_bench.configuration import GradientConfiguration
    from xconv_bench.results.run_directory import RunDirectory


@taking(
    GradientOptions,
    without=("layer",),
    method=[options.ALL_METHODS],
    scheme=["independent,multi"],
    probes=["16,64,256"],
    bits=["1,2,4"],
    keep=["0.03,0.1"],
    budget=["0.2,0.5"],
)
def frontier(
    given: GradientOptions,
    repeats: options.EstimatorSeeds = 8,
    rounds: options.Rounds = 7,
) -> int:
    """Compare methods at their own best: error and time of a step against its peak memory.

    Options marked ... take several values: repeat them, or put commas between.

    Memory, time and the error of the weight gradients are measured as the commands memory, runtime
    and error do. What no other method beats is the front; of the others it is said what beats them.
    """
    from xconv_bench.experiments.frontier import frontier_rows
    from xconv_bench.report.frontier_plot import plot_frontier
    from xconv_bench.report.frontier_table import print_frontier_table
    from xconv_bench.results.run_directory import RunDirectory

    plan = gradient_plan(given)
    cells = plan.configurations()
    with RunDirectory("frontier", cells[0].model, given.output) as run, resumable(run):
        table = run.table("frontier")
        table.rows()  # a file that is no table is refused before anything is written
        _measure(plan, cells, run, repeats, rounds)
        memory, runtime, error = (run.table(name) for name in ("memory", "runtime", "error"))
        rows = frontier_rows(cells, memory, runtime, error, repeats)
        table.clear()  # it follows from the others, and they may have become more
        table.put(*rows)
        rows = table.rows()
        pictures = plot_frontier(rows, run.plots)
        print_frontier_table(rows)
        print_written(run, memory, runtime, error, table, pictures=pictures)
    return exit_code(rows)


def _measure(
    plan: GradientPlan,
    cells: Sequence[GradientConfiguration],
    run: RunDirectory,
    repeats: int,
    rounds: int,
) -> None:
    from xconv_bench.cli.progress import SweepProgress
    from xconv_bench.experiments.frontier import error_cell, memory_cell, runtime_cell
    from xconv_bench.experiments.memory import measure_memory
    from xconv_bench.experiments.runtime import measure_runtime
    from xconv_bench.measurement.error import ErrorMeasurement

    plan.measure([error_cell(cell, repeats) for cell in cells], run, ("error",), ErrorMeasurement)
    peaks = [memory_cell(cell) for cell in cells]
    with SweepProgress(len(peaks)) as progress:
        measure_memory(peaks, run.table("memory"), plan.launcher, progress, timed_steps=1)
    steps = [runtime_cell(cell) for cell in cells]
    with SweepProgress(len(steps)) as progress:
        measure_runtime(steps, run.table("runtime"), plan.launcher, progress, rounds)
