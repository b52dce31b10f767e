"""``xconv-bench runtime``: time of a layer or of a network, methods in turns."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from xconv_bench.cli import options
from xconv_bench.cli.experiment import Experiment
from xconv_bench.cli.given import SweepOptions, taking
from xconv_bench.cli.sweeps import designed_sizes, read_devices, read_launcher, read_sweep
from xconv_bench.errors import UsageError

_UNTIMED_STEPS = 3

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
    without=("cross_check",),
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
) -> Experiment:
    """Time forward, backward and step of a layer (conv:CHANNELS) or network, beside exact.

    Options marked ... take several values: repeat them, or put commas between.

    In each round every method takes a step, in an order drawn anew: what disturbs one disturbs all.
    """
    from xconv_bench.experiments.runtime import measure_runtime
    from xconv_bench.report.pictures import plot
    from xconv_bench.report.runtime_table import print_runtime_table

    if grid is not None:
        if grid not in _GRIDS:
            raise UsageError(f"--grid {grid!r} is unknown: choose from {', '.join(_GRIDS)}")
        given = replace(given, **_GRIDS[grid], asked=given.asked | {"probes"})
    sweep, launcher = read_sweep(given, read_devices(given.device)), read_launcher(given)
    cells = sweep.configurations(designed_sizes(sweep, launcher, computes=True))
    return Experiment(
        name="runtime",
        cells=cells,
        tables=("runtime",),
        launcher=launcher,
        measure=lambda run, progress: measure_runtime(
            cells, run.table("runtime"), launcher, progress, rounds
        ),
        draw=lambda rows, run: plot("runtime", rows, run.plots),
        show=lambda rows, run: print_runtime_table(rows),
        steps=rounds + _UNTIMED_STEPS,
        output=given.output,
    )
