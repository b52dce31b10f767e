"""``xconv-bench layers``: show memory at every layer of a step, forward and backward."""

from __future__ import annotations

from xconv_bench import parsing
from xconv_bench.cli.experiment import Experiment
from xconv_bench.cli.explaining import Explain, explained
from xconv_bench.cli.given import SweepOptions, taking
from xconv_bench.cli.sweeps import read_launcher, read_sweep
from xconv_bench.configuration import SIMULATED

_STEPS = 2


@taking(SweepOptions, model=..., device=[SIMULATED])
def layers(given: SweepOptions, explain: Explain = False) -> Experiment:
    """Show memory after every layer of a training step, and which layers hold the most.

    Memory is simulated unless --device names a real device. On a GPU torch's allocator is read,
    and a second run with its cache off reads what the driver counts.
    """
    from xconv_bench.experiments.layers import measure_layers
    from xconv_bench.experiments.surveys import designed_sizes
    from xconv_bench.report.pictures import plot
    from xconv_bench.report.tables import print_table

    devices = parsing.words("--device", given.device or [SIMULATED])
    sweep, launcher = read_sweep(given, devices), read_launcher(given)
    cells = sweep.configurations(designed_sizes(sweep, launcher))
    experiment = Experiment(
        name="layers",
        cells=cells,
        tables=("layers",),
        launcher=launcher,
        measure=lambda run, progress: measure_layers(
            cells, run.table("layers"), launcher, progress, given.cross_check
        ),
        draw=lambda rows, run: plot("layers", rows, run.plots),
        show=lambda rows, run: print_table("layers", rows),
        steps=_STEPS,
        output=given.output,
    )
    return explained(experiment) if explain else experiment
