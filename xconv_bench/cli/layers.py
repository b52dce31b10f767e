"""``xconv-bench layers``: memory at every layer of a step, forward and backward."""

from __future__ import annotations

from xconv_bench.cli import parsing
from xconv_bench.cli.given import SweepOptions, taking
from xconv_bench.cli.resume import resumable
from xconv_bench.cli.sweeps import designed_sizes, exit_code, read_sweep
from xconv_bench.configuration import SIMULATED


@taking(SweepOptions, model=..., device=[SIMULATED])
def layers(given: SweepOptions) -> int:
    """Show the memory behind every layer of a training step, and which layers hold the most.

    Options marked ... take several values: repeat them, or put commas between.

    Simulated, unless --device says otherwise. On a GPU: torch's allocator, and in a second run
    with its cache off what the driver counts.
    """
    from xconv_bench.cli.progress import SweepProgress
    from xconv_bench.experiments.layers import measure_layers
    from xconv_bench.launch import Launcher
    from xconv_bench.report.layers_plot import plot_layers
    from xconv_bench.report.layers_table import print_layers_table
    from xconv_bench.results.environment import record_environment
    from xconv_bench.results.run_directory import RunDirectory

    devices = parsing.words("--device", given.device or [SIMULATED])
    sweep, launcher = read_sweep(given, devices), Launcher(given.timeout)
    cells = sweep.configurations(designed_sizes(sweep, launcher))
    with RunDirectory("layers", sweep.models[0], given.output) as run, resumable(run):
        table = run.table("layers")
        table.rows()  # a file that is no table is refused before anything is written
        record_environment(run.environment, given.seed)
        with SweepProgress(len(cells)) as progress:
            rows = measure_layers(cells, table, launcher, progress)
        pictures = plot_layers(rows, run.plots)
        print_layers_table(rows)
        print()
        for path in (table.path, run.environment, *pictures):
            print(f"written: {path}")
    return exit_code(rows)
