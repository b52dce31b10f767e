"""``xconv-bench runtime``: time of a layer or of a network, methods in turns."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from xconv_bench.cli import options
from xconv_bench.cli.given import SweepOptions, taking
from xconv_bench.cli.resume import resumable
from xconv_bench.cli.sweeps import designed_sizes, exit_code, read_devices, read_sweep
from xconv_bench.errors import UsageError

if TYPE_CHECKING:
    from xconv_bench.configuration import Configuration
    from xconv_bench.launch import Launcher
    from xconv_bench.results.run_directory import RunDirectory
    from xconv_bench.results.table import Row

_GRIDS: dict[str, dict[str, Any]] = {
    "paper": {
        "model": ["conv:3,conv:64,conv:128,conv:256"],
        "image_size": ["32,64,128,256,512,1024"],
        "batch_size": ["32,64,128,256"],
        "probes": ["32,128,256"],
    }
}


@taking(
    SweepOptions,
    model=["conv:16,conv:64,conv:128"],
    probes=["8,32"],
    compress=["conv"],
    image_size=["16,32,64"],
    batch_size=["16"],
)
def runtime(
    given: SweepOptions,
    grid: options.Grid = None,
    rounds: options.Rounds = 9,
) -> int:
    """Time forward, backward and step of a layer (conv:CHANNELS) or network, beside exact.

    Options marked ... take several values: repeat them, or put commas between.

    In each round every method takes a step, in an order drawn anew: what disturbs one disturbs all.
    """
    from xconv_bench.launch import Launcher
    from xconv_bench.results.run_directory import RunDirectory

    if grid is not None:
        if grid not in _GRIDS:
            raise UsageError(f"--grid {grid!r} is unknown: choose from {', '.join(_GRIDS)}")
        given = replace(given, **_GRIDS[grid])
    sweep, launcher = read_sweep(given, read_devices(given.device)), Launcher(given.timeout)
    cells = sweep.configurations(designed_sizes(sweep, launcher))
    with RunDirectory("runtime", sweep.models[0], given.output) as run, resumable(run):
        rows = _measure(cells, run, launcher, rounds)
        _show(rows, run)
    return exit_code(rows)


def _measure(
    cells: list[Configuration], run: RunDirectory, launcher: Launcher, rounds: int
) -> list[Row]:
    from xconv_bench.cli.progress import SweepProgress
    from xconv_bench.experiments.runtime import measure_runtime
    from xconv_bench.results.environment import record_environment

    table = run.table("runtime")
    table.rows()  # a file that is no table is refused before anything is written
    record_environment(run.environment, cells[0].seed)
    with SweepProgress(len(cells)) as progress:
        return measure_runtime(cells, table, launcher, progress, rounds)


def _show(rows: list[Row], run: RunDirectory) -> None:
    from xconv_bench.report.runtime_plot import plot_runtime
    from xconv_bench.report.runtime_table import print_runtime_table

    pictures = plot_runtime(rows, run.plots)
    print_runtime_table(rows)
    print()
    for path in (run.table("runtime").path, run.environment, *pictures):
        print(f"written: {path}")
