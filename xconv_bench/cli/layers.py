"""``xconv-bench layers``: memory at every layer of a step, forward and backward."""

from __future__ import annotations

from xconv_bench.cli import parsing
from xconv_bench.cli.experiment import Experiment
from xconv_bench.cli.given import SweepOptions, taking
from xconv_bench.cli.sweeps import designed_sizes, read_launcher, read_sweep
from xconv_bench.configuration import SIMULATED

_STEPS = 2


@taking(SweepOptions, model=..., device=[SIMULATED])
def layers(given: SweepOptions) -> Experiment:
    """Show the memory behind every layer of a training step, and which layers hold the most.

    Options marked ... take several values: repeat them, or put commas between.

    Simulated, unless --device says otherwise. On a GPU: torch's allocator, and in a second run
    with its cache off what the driver counts.
    """
    from xconv_bench.experiments.layers import measure_layers
    from xconv_bench.report.layers_table import print_layers_table
    from xconv_bench.report.pictures import plot

    devices = parsing.words("--device", given.device or [SIMULATED])
    sweep, launcher = read_sweep(given, devices), read_launcher(given)
    cells = sweep.configurations(designed_sizes(sweep, launcher))
    return Experiment(
        name="layers",
        cells=cells,
        tables=("layers",),
        launcher=launcher,
        measure=lambda run, progress: measure_layers(
            cells, run.table("layers"), launcher, progress, given.cross_check
        ),
        draw=lambda rows, run: plot("layers", rows, run.plots),
        show=lambda rows, run: print_layers_table(rows),
        steps=_STEPS,
        output=given.output,
    )
