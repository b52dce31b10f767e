"""``xconv-bench runtime``: time a layer or a network, with all methods in turns."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import typer

from xconv_bench.cli import options
from xconv_bench.cli.experiment import Experiment
from xconv_bench.cli.given import SweepOptions, taking
from xconv_bench.cli.sweeps import read_devices, read_launcher, read_sweep
from xconv_bench.errors import UsageError, suggest

_UNTIMED_STEPS = 3

_GRIDS: dict[str, dict[str, Any]] = {
    "paper": {
        "model": ["conv:3,conv:64,conv:128,conv:256"],
        "image_size": ["32,64,128,256,512,1024"],
        "batch_size": ["32,64,128,256"],
    }
}
_PROBES_OF_GRIDS = {"paper": ["32,128,256"]}

Grid = Annotated[
    str | None,
    typer.Option(
        "--grid",
        metavar="NAME",
        help="Measure a fixed set of layers, image sizes and batch sizes: paper, which is the "
        "set of the XConv paper and needs a GPU.",
    ),
]


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
    grid: Grid = None,
    rounds: options.Rounds = 9,
) -> Experiment:
    """Time the forward pass, backward pass and step of a layer (conv:CHANNELS) or a network.

    In each round every method takes one step, in random order, so that a disturbance hits all
    methods alike. Ratios compare each method with the exact step of the same round.
    """
    from xconv_bench.experiments.runtime import measure_runtime
    from xconv_bench.experiments.surveys import designed_sizes
    from xconv_bench.report.pictures import plot
    from xconv_bench.report.tables import print_table

    if grid is not None:
        if grid not in _GRIDS:
            raise UsageError(f"--grid {grid!r} is unknown: {suggest(grid, _GRIDS)}")
        given = replace(given, **_GRIDS[grid]).with_knobs(probes=_PROBES_OF_GRIDS[grid])
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
        show=lambda rows, run: print_table("runtime", rows),
        steps=rounds + _UNTIMED_STEPS,
        output=given.output,
    )
