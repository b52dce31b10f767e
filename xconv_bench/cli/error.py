"""``xconv-bench error``: how far estimated gradients lie from the exact ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xconv_bench.cli import options, parsing
from xconv_bench.cli.given import GradientOptions, taking
from xconv_bench.cli.gradients import GradientPlan, gradient_plan, print_written
from xconv_bench.cli.resume import resumable
from xconv_bench.cli.sweeps import exit_code
from xconv_bench.configuration import ErrorConfiguration
from xconv_bench.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


@taking(
    GradientOptions,
    scheme=[options.ALL_SCHEMES],
    probes=["8,32,128,512"],
    batch_size=["128"],
)
def error(
    given: GradientOptions,
    repeats: options.EstimatorSeeds = 32,
    bias_test: options.BiasTest = False,
    age: options.Age = False,
    memory_budget: options.MemoryBudget = None,
    headroom: options.Headroom = None,
) -> int:
    """Measure how far estimated gradients lie from the exact ones, layer by layer.

    Options marked ... take several values: repeat them, or put commas between.

    Over --repeats seeds of the estimator on one batch: relative error, bias, spread and cosine,
    beside the bytes saved. With --age: the average gradient error over all minibatches of the data.
    """
    plan = gradient_plan(given)
    if headroom is not None and memory_budget is None:
        raise UsageError("--headroom is a part of --memory-budget: give both, or neither")
    if not age:
        if memory_budget is not None:
            raise UsageError("--memory-budget chooses the batches of --age: give both, or neither")
        return _error(plan, repeats, bias_test, given.output)
    if bias_test or given.layer:
        raise UsageError("--age is of the whole network: leave out --bias-test and --layer")
    return _average_error(plan, _budget(memory_budget, headroom), given.output)


def _error(plan: GradientPlan, repeats: int, bias_test: bool, output: Path | None) -> int:
    from xconv_bench.experiments.gradients import rows_of
    from xconv_bench.measurement.error import ErrorMeasurement
    from xconv_bench.report.error_plot import plot_error
    from xconv_bench.report.error_table import print_error_table
    from xconv_bench.results.run_directory import RunDirectory
    from xconv_bench.statistics.bias import FEWEST_SEEDS

    if bias_test and repeats < FEWEST_SEEDS:
        raise UsageError(f"--bias-test with --repeats {repeats}: expected {FEWEST_SEEDS} or more")
    cells = [cell.extended(ErrorConfiguration, repeats=repeats) for cell in plan.configurations()]
    with RunDirectory("error", cells[0].model, output) as run, resumable(run):
        plan.measure(cells, run, ("error",), ErrorMeasurement)
        table = run.table("error")
        rows = rows_of(cells, table)
        pictures = plot_error(rows, run.plots, plan.layers or None)
        print_error_table(rows, plan.layers or None, bias_test)
        print_written(run, table, pictures=pictures)
    is_biased = any(row["bias_verdict"] == "biased" for row in rows)
    return int(bias_test and is_biased) or exit_code(rows)


def _budget(memory_budget: str | None, headroom: float | None) -> tuple[int, float] | None:
    if memory_budget is None:
        return None
    return parsing.size_in_bytes("--memory-budget", memory_budget), headroom or options.HEADROOM


def _average_error(
    plan: GradientPlan, budget: tuple[int, float] | None, output: Path | None
) -> int:
    from xconv_bench.cli.progress import SweepProgress
    from xconv_bench.experiments.average_error import at_batch_size, at_budget
    from xconv_bench.experiments.gradients import rows_of
    from xconv_bench.report.average_error_plot import plot_average_error
    from xconv_bench.report.average_error_table import print_average_error_table
    from xconv_bench.results.run_directory import RunDirectory

    cells = plan.configurations(at_budget=budget is not None)
    with RunDirectory("age", cells[0].model, output) as run, resumable(run):
        if budget is None:
            tasks = at_batch_size(cells)
        else:
            with SweepProgress(len(cells)) as progress:
                tasks = at_budget(cells, *budget, plan.launcher, progress)
        plan.measure(list(tasks), run, ("age",), lambda cell, start: tasks[cell](cell, start))
        table = run.table("age")
        rows = rows_of(list(tasks), table)
        pictures = plot_average_error(rows, run.plots)
        print_average_error_table(rows)
        print_written(run, table, pictures=pictures)
    return exit_code(rows)
