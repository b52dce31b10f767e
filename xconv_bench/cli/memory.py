"""``xconv-bench memory``: compare memory, time and gradient error of a training step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from xconv_bench.cli import options
from xconv_bench.cli.experiment import Experiment
from xconv_bench.cli.explaining import Explain, explained
from xconv_bench.cli.given import SweepOptions, taking
from xconv_bench.cli.snapshots import Snapshot, snapshotted
from xconv_bench.cli.sweeps import read_devices, read_launcher, read_sweep
from xconv_bench.configuration import SIMULATED
from xconv_bench.errors import UsageError

_RECOMMENDED = "spectral"
_UNTIMED_STEPS = 6

Simulate = Annotated[
    bool,
    typer.Option("--simulate", help="Count memory without computing anything; this needs no GPU."),
]
Repeats = Annotated[
    int,
    typer.Option(
        "--repeats",
        metavar="N",
        help="Measure everything N times, the first time with --seed, then with the seeds after "
        "it.",
        min=1,
        callback=options.few,
    ),
]
Steps = Annotated[
    int,
    typer.Option(
        "--steps",
        metavar="N",
        help="Time N training steps and report the median.",
        min=1,
        callback=options.sane,
    ),
]


@taking(SweepOptions, model=...)
def memory(
    given: SweepOptions,
    simulate: Simulate = False,
    repeats: Repeats = 1,
    steps: Steps = 3,
    explain: Explain = False,
    snapshot: Snapshot = False,
) -> Experiment:
    """Measure memory, time and gradient error of a training step, method by method.

    Every combination of the given values that makes sense is measured, in a process of its own.
    """
    from xconv_bench.experiments.memory import measure_memory, repeat
    from xconv_bench.experiments.surveys import designed_sizes
    from xconv_bench.report.pictures import plot
    from xconv_bench.report.tables import print_table

    sweep = read_sweep(given, _devices(given.device, simulate), recommended=_RECOMMENDED)
    launcher = read_launcher(given)
    cells = repeat(sweep.configurations(designed_sizes(sweep, launcher)), repeats)
    experiment = Experiment(
        name="memory",
        cells=cells,
        tables=("memory",),
        launcher=launcher,
        measure=lambda run, progress: measure_memory(
            cells, run.table("memory"), launcher, progress, steps, given.cross_check
        ),
        draw=lambda rows, run: plot("memory", rows, run.plots),
        show=lambda rows, run: print_table("memory", rows),
        steps=steps + _UNTIMED_STEPS,
        output=given.output,
    )
    experiment = snapshotted(experiment) if snapshot else experiment
    return explained(experiment) if explain else experiment


def _devices(given: Sequence[str] | None, simulate: bool) -> tuple[str, ...]:
    if simulate:
        if given:
            raise UsageError("--simulate uses no device: leave out either it or --device")
        return (SIMULATED,)
    return read_devices(given)
