"""``xconv-bench memory``: memory, time and gradient error of a training step, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from xconv_bench.cli import options
from xconv_bench.cli.given import SweepOptions, taking
from xconv_bench.cli.resume import resumable
from xconv_bench.cli.sweeps import designed_sizes, exit_code, read_devices, read_sweep
from xconv_bench.configuration import SIMULATED, MemoryConfiguration
from xconv_bench.errors import UsageError

if TYPE_CHECKING:
    from xconv_bench.launch import Launcher
    from xconv_bench.results.run_directory import RunDirectory


@taking(SweepOptions, model=...)
def memory(
    given: SweepOptions,
    simulate: options.Simulate = False,
    repeats: options.Repeats = 1,
    steps: options.Steps = 3,
) -> int:
    """Measure memory, time and gradient error of a training step, method by method.

    Options marked ... take several values: repeat them, or put commas between.

    All combinations that make sense are measured, each in a process of its own.
    """
    from xconv_bench.experiments.memory import repeat
    from xconv_bench.launch import Launcher
    from xconv_bench.results.run_directory import RunDirectory

    sweep = read_sweep(given, _devices(given.device, simulate))
    launcher = Launcher(given.timeout)
    configurations = repeat(sweep.configurations(designed_sizes(sweep, launcher)), repeats)
    with RunDirectory("memory", sweep.models[0], given.output) as run, resumable(run):
        rows = _measure(configurations, run, launcher, given.seed, steps)
        _show(rows, run)
    return exit_code(rows)


def _devices(given: Sequence[str] | None, simulate: bool) -> tuple[str, ...]:
    if simulate:
        if given:
            raise UsageError("--simulate uses no device: leave out either it or --device")
        return (SIMULATED,)
    return read_devices(given)


def _measure(
    configurations: list[MemoryConfiguration],
    run: RunDirectory,
    launcher: Launcher,
    seed: int,
    steps: int,
) -> list[dict[str, Any]]:
    from xconv_bench.cli.progress import SweepProgress
    from xconv_bench.experiments.memory import measure_memory
    from xconv_bench.results.environment import record_environment

    table = run.table("memory")
    table.rows()  # a file that is no table is refused before anything is written
    record_environment(run.environment, seed)
    with SweepProgress(len(configurations)) as progress:
        return measure_memory(configurations, table, launcher, progress, steps)


def _show(rows: list[dict[str, Any]], run: RunDirectory) -> None:
    from xconv_bench.report.memory_plot import plot_memory
    from xconv_bench.report.memory_table import print_memory_table

    # Before printing: who reads our output may close it after the first lines.
    pictures = plot_memory(rows, run.plots)
    print_memory_table(rows)
    print()
    for path in (run.table("memory").path, run.environment, *pictures):
        print(f"written: {path}")
