"""The tables of a frontier: memory, time and error of cells are measured, then joined."""

from __future__ import annotations

from collections.abc import Sequence

from xconv_bench.configuration import GradientConfiguration
from xconv_bench.experiments.frontier import error_cell, frontier_rows, memory_cell, runtime_cell
from xconv_bench.experiments.gradient_plan import GradientPlan, GradientWatcher
from xconv_bench.experiments.memory import measure_memory
from xconv_bench.experiments.runtime import measure_runtime
from xconv_bench.measurement.error import ErrorMeasurement
from xconv_bench.results.run_directory import RunDirectory
from xconv_bench.results.table import Row

TABLES = ("memory", "runtime", "error", "frontier")


def measure_frontier(
    plan: GradientPlan,
    cells: Sequence[GradientConfiguration],
    run: RunDirectory,
    watcher: GradientWatcher,
    repeats: int,
    rounds: int,
    cross_check: bool,
) -> list[Row]:
    """Measure memory, time and error of all ``cells``; return the rows of ``frontier.csv``."""
    memory, runtime, error, table = (run.table(name) for name in TABLES)
    errors = [error_cell(cell, repeats) for cell in cells]
    plan.measure(errors, run, ("error",), ErrorMeasurement, watcher)
    peaks = [memory_cell(cell) for cell in cells]
    measure_memory(peaks, memory, plan.launcher, watcher, 1, cross_check)
    steps = [runtime_cell(cell) for cell in cells]
    measure_runtime(steps, runtime, plan.launcher, watcher, rounds)
    rows = frontier_rows(cells, memory, runtime, error, repeats)
    table.clear()  # it follows from the others, and they may have become more
    table.put(*rows)
    return table.rows()
