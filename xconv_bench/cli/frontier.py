"""``xconv-bench frontier``: compare error and time of methods for the memory they save."""

from __future__ import annotations

from xconv_bench.cli import options
from xconv_bench.cli.experiment import Experiment
from xconv_bench.cli.given import GradientOptions, taking
from xconv_bench.cli.gradients import gradient_plan
from xconv_bench.methods import METHODS


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
    from xconv_bench.experiments.frontier_tables import TABLES, measure_frontier
    from xconv_bench.report.pictures import plot
    from xconv_bench.report.tables import print_table

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
        show=lambda rows, run: print_table("frontier", rows),
        steps=(repeats + rounds) // 2 + 4,
        output=given.output,
    )
