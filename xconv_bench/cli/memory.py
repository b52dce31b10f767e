"""``xconv-bench memory``: memory, time and gradient error of a training step, side by side."""

from __future__ import annotations

from collections.abc import Sequence

from xconv_bench.cli import options
from xconv_bench.cli.experiment import Experiment
from xconv_bench.cli.given import SweepOptions, taking
from xconv_bench.cli.sweeps import designed_sizes, read_devices, read_launcher, read_sweep
from xconv_bench.configuration import SIMULATED
from xconv_bench.errors import UsageError

_RECOMMENDED = "spectral"
_UNTIMED_STEPS = 6


@taking(SweepOptions, model=...)
def memory(
    given: SweepOptions,
    simulate: options.Simulate = False,
    repeats: options.Repeats = 1,
    steps: options.Steps = 3,
) -> Experiment:
    """Measure memory, time and gradient error of a training step, method by method.

    Options marked ... take several values: repeat them, or put commas between.

    All combinations that make sense are measured, each in a process of its own.
    """
    from xconv_bench.experiments.memory import measure_memory, repeat
    from xconv_bench.report.memory_table import print_memory_table
    from xconv_bench.report.pictures import plot

    sweep = read_sweep(given, _devices(given.device, simulate), recommended=_RECOMMENDED)
    launcher = read_launcher(given)
    cells = repeat(sweep.configurations(designed_sizes(sweep, launcher)), repeats)
    return Experiment(
        name="memory",
        cells=cells,
        tables=("memory",),
        launcher=launcher,
        measure=lambda run, progress: measure_memory(
            cells, run.table("memory"), launcher, progress, steps, given.cross_check
        ),
        draw=lambda rows, run: plot("memory", rows, run.plots),
        show=lambda rows, run: print_memory_table(rows),
        steps=steps + _UNTIMED_STEPS,
        output=given.output,
    )


def _devices(given: Sequence[str] | None, simulate: bool) -> tuple[str, ...]:
    if simulate:
        if given:
            raise UsageError("--simulate uses no device: leave out either it or --device")
        return (SIMULATED,)
    return read_devices(given)
