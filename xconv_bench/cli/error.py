"""``xconv-bench error``: measure how far estimated gradients lie from the exact ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from xconv_bench import parsing
from xconv_bench.cli import options
from xconv_bench.cli.experiment import Experiment, exit_code
from xconv_bench.cli.given import GradientOptions, taking
from xconv_bench.cli.gradients import gradient_plan
from xconv_bench.configuration import ErrorConfiguration, MaxBatchConfiguration
from xconv_bench.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from xconv_bench.cli.progress import SweepProgress
    from xconv_bench.experiments.gradient_plan import GradientPlan
    from xconv_bench.results.run_directory import RunDirectory
    from xconv_bench.results.table import Row

BiasTest = Annotated[
    bool,
    typer.Option(
        "--bias-test",
        help="Test whether the estimator is unbiased; exit code 1 if it is not.",
    ),
]
Age = Annotated[
    bool,
    typer.Option(
        "--age",
        help="Measure the average gradient error over the whole data set instead.",
    ),
]
Budget = Annotated[
    str | None,
    typer.Option(
        "--memory-budget",
        metavar="SIZE",
        help="Give each method the largest batch that fits in SIZE, such as 16GiB; needs --age.",
    ),
]
Headroom = Annotated[
    float | None,
    typer.Option(
        "--headroom",
        metavar="X",
        help="Fraction of the memory budget that a step may take.",
        min=0.01,
        callback=options.sane,
        max=1,
        show_default=str(MaxBatchConfiguration.headroom),
    ),
]


@taking(
    GradientOptions,
    scheme=[options.ALL_SCHEMES],
    probes=["8,32,128,512"],
    batch_size=["128"],
)
def error(
    given: GradientOptions,
    repeats: options.EstimatorSeeds = ErrorConfiguration.repeats,
    bias_test: BiasTest = False,
    age: Age = False,
    memory_budget: Budget = None,
    headroom: Headroom = None,
) -> Experiment:
    """Measure how far estimated gradients lie from the exact ones, layer by layer.

    The table has relative error, bias, spread and cosine over --repeats seeds of the estimator on
    one batch, beside the bytes that each layer keeps. With --age it has the average gradient error
    over all minibatches of the data set.
    """
    plan = gradient_plan(given)
    if headroom is not None and memory_budget is None:
        raise UsageError("--headroom is a part of --memory-budget: give both, or neither")
    if not age:
        if memory_budget is not None:
            raise UsageError("--memory-budget chooses the batches of --age: give both, or neither")
        return _error(plan, repeats, bias_test, given.output)
    if bias_test or given.layer:
        raise UsageError("--age measures the whole network: leave out --bias-test and --layer")
    if given.inputs is not None or given.loss is not None:
        raise UsageError("--age goes through a data set: leave out --inputs and --loss")
    budget = _budget(memory_budget, headroom)
    return _average_error(plan, budget, given.cross_check, given.output)


def _error(plan: GradientPlan, repeats: int, bias_test: bool, output: Path | None) -> Experiment:
    from xconv_bench.experiments.writing import rows_of
    from xconv_bench.measurement.error import ErrorMeasurement
    from xconv_bench.report.pictures import plot
    from xconv_bench.report.rows import Beside
    from xconv_bench.report.tables import print_table
    from xconv_bench.statistics.bias import FEWEST_SEEDS

    if bias_test and repeats < FEWEST_SEEDS:
        raise UsageError(f"--bias-test with --repeats {repeats}: expected {FEWEST_SEEDS} or more")
    cells = [cell.extended(ErrorConfiguration, repeats=repeats) for cell in plan.configurations()]
    beside = Beside(layers=plan.layers or None, bias_test=bias_test)

    def measure(run: RunDirectory, progress: SweepProgress) -> list[Row]:
        plan.measure(cells, run, ("error",), ErrorMeasurement, progress)
        return rows_of(cells, run.table("error"))

    def code(rows: Sequence[Row]) -> int:
        is_biased = any(row["bias_verdict"] == "biased" for row in rows)
        return int(bias_test and is_biased) or exit_code(rows)

    return Experiment(
        name="error",
        cells=cells,
        tables=("error",),
        launcher=plan.launcher,
        measure=measure,
        draw=lambda rows, run: plot("error", rows, run.plots, beside),
        show=lambda rows, run: print_table("error", rows, beside),
        steps=repeats + 2,
        output=output,
        code=code,
    )


def _budget(memory_budget: str | None, headroom: float | None) -> tuple[int, float] | None:
    if memory_budget is None:
        return None
    headroom = headroom or MaxBatchConfiguration.headroom
    return parsing.size_in_bytes("--memory-budget", memory_budget), headroom


def _average_error(
    plan: GradientPlan, budget: tuple[int, float] | None, cross_check: bool, output: Path | None
) -> Experiment:
    from xconv_bench.experiments.average_error import at_batch_size, at_budget
    from xconv_bench.experiments.writing import rows_of
    from xconv_bench.report.pictures import plot
    from xconv_bench.report.tables import print_table

    cells = plan.configurations(at_budget=budget is not None)

    def measure(run: RunDirectory, progress: SweepProgress) -> list[Row]:
        if budget is None:
            measurements = at_batch_size(cells)
        else:
            measurements = at_budget(cells, *budget, plan.launcher, progress, cross_check)
        plan.measure(
            list(measurements),
            run,
            ("age",),
            lambda cell, start: measurements[cell](cell, start),
            progress,
        )
        return rows_of(list(measurements), run.table("age"))

    return Experiment(
        name="age",
        cells=cells,
        tables=("age",),
        launcher=plan.launcher,
        measure=measure,
        draw=lambda rows, run: plot("age", rows, run.plots),
        show=lambda rows, run: print_table("age", rows),
        steps=3 * cells[0].samples // (cells[0].batch_size if budget is None else 128),
        output=output,
    )
