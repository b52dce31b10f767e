"""``xconv-bench advise``: plan what each module keeps, for a memory budget or an error."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from xconv_bench import parsing
from xconv_bench.cli import options
from xconv_bench.cli.experiment import Experiment
from xconv_bench.cli.given import GradientOptions, taking
from xconv_bench.cli.gradients import gradient_plan
from xconv_bench.configuration import AdviceConfiguration
from xconv_bench.errors import UsageError
from xconv_bench.knobs import KNOBS

if TYPE_CHECKING:
    from xconv_bench.cli.progress import SweepProgress
    from xconv_bench.results.run_directory import RunDirectory
    from xconv_bench.results.table import Row

_SETTINGS = 20
"""Settings that are tried for a module, roughly."""

Budget = Annotated[
    str | None,
    typer.Option(
        "--memory-budget",
        metavar="SIZE",
        help="Find the least error with a peak of at most SIZE, such as 8GiB.",
    ),
]
TargetError = Annotated[
    float | None,
    typer.Option(
        "--error",
        metavar="X",
        help="Find the least memory with a relative error of the gradient of at most X.",
        min=1e-9,
        callback=options.finite,
    ),
]


@taking(GradientOptions, without=("method", *KNOBS, "layer"), model=...)
def advise(
    given: GradientOptions,
    memory_budget: Budget = None,
    error: TargetError = None,
    repeats: options.EstimatorSeeds = 8,
    rounds: options.Rounds = 3,
) -> Experiment:
    """Plan what each module of a network keeps, given a memory budget or a target error.

    Give one of --memory-budget and --error. The plan is written to plan.toml in the run directory;
    other commands take it with --plan, and so does xconv.convert(model, plan=FILE). Its predicted
    peak and error are then measured beside the exact network, as the command frontier does.
    """
    from xconv_bench.experiments.advise import forget_other_plans, label_of_advised, with_measured
    from xconv_bench.experiments.frontier_tables import TABLES, measure_frontier
    from xconv_bench.measurement.advice import AdviceMeasurement
    from xconv_bench.measurement.estimate import Estimate
    from xconv_bench.report.rows import Beside
    from xconv_bench.report.tables import print_table

    budget = _budget(memory_budget, error)
    plan = gradient_plan(replace(given, method=["exact"]))
    exact, *others = plan.configurations()
    if others:
        raise UsageError("a plan is for one network and one batch: give every option one value")
    cell = replace(exact, method="xconv").extended(
        AdviceConfiguration, memory_budget_bytes=budget, target_error=error
    )

    def measure(run: RunDirectory, progress: SweepProgress) -> list[Row]:
        table = run.table("advice")
        forget_other_plans(table, cell)
        plan.measure(
            [cell], run, ("advice",),
            lambda cell, start: AdviceMeasurement(cell, start, run.plan), progress,
        )  # fmt: skip
        label = label_of_advised(table, cell, run.plan)
        cells = [exact, replace(exact, method="xconv", plan=label)]
        rows = measure_frontier(plan, cells, run, progress, repeats, rounds, given.cross_check)
        return with_measured(table, cell, label, rows)

    return Experiment(
        name="advise",
        cells=[cell, *[exact] * 6],  # the planned ones take no more than the exact ones
        tables=("advice", *TABLES),
        launcher=plan.launcher,
        measure=measure,
        draw=lambda rows, run: [],
        show=lambda rows, run: print_table("advice", rows, Beside(plan=run.plan)),
        steps=_SETTINGS * cell.repeats,
        output=given.output,
        estimate=lambda cell: Estimate(cell.as_exact()),
    )


def _budget(memory_budget: str | None, error: float | None) -> int | None:
    """Return the budget in bytes; None where a target error is given instead."""
    if (memory_budget is None) == (error is None):
        raise UsageError("give one of --memory-budget and --error, and not both")
    if memory_budget is None:
        return None
    return parsing.size_in_bytes("--memory-budget", memory_budget)
