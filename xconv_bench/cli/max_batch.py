"""``xconv-bench max-batch``: find the largest batch that fits in memory, method by method."""

from __future__ import annotations

from typing import Annotated

import typer

from xconv_bench import parsing
from xconv_bench.cli import options
from xconv_bench.cli.experiment import Experiment
from xconv_bench.cli.given import SweepOptions, taking
from xconv_bench.cli.sweeps import read_launcher, read_sweep
from xconv_bench.configuration import SIMULATED, MaxBatchConfiguration
from xconv_bench.errors import UsageError

_TRIES = 15
"""Batches that a search tries, roughly."""
_DEFAULT_BUDGET = f"{MaxBatchConfiguration.memory_budget_bytes // 2**30}GiB"

Budget = Annotated[
    str,
    typer.Option(
        "--memory-budget", metavar="SIZE", help="Memory of the GPU, such as 16GiB or 500MiB."
    ),
]
Headroom = Annotated[
    float,
    typer.Option(
        "--headroom",
        metavar="X",
        help="Fraction of the budget that a step may take.",
        min=0.01,
        callback=options.sane,
        max=1,
    ),
]
Most = Annotated[
    int,
    typer.Option(
        "--max",
        metavar="N",
        help="Try no batch larger than N.",
        min=1,
        callback=options.sane,
    ),
]
Verify = Annotated[
    bool,
    typer.Option(
        "--verify",
        help="Train with the batch that was found for ten steps; this needs --device cuda.",
    ),
]


@taking(SweepOptions, without=("batch_size",), model=..., device=[SIMULATED])
def max_batch(
    given: SweepOptions,
    memory_budget: Budget = _DEFAULT_BUDGET,
    headroom: Headroom = MaxBatchConfiguration.headroom,
    most: Most = MaxBatchConfiguration.most,
    verify: Verify = False,
) -> Experiment:
    """Find the largest batch whose training step fits in a memory budget.

    Steps are simulated by default. With --device cuda each batch is really trained for a step, and
    the peak of torch's allocator counts. Both the answer and a batch of one sample more are tried.
    """
    from xconv_bench.experiments.max_batch import find_max_batches
    from xconv_bench.experiments.surveys import designed_sizes
    from xconv_bench.report.pictures import plot
    from xconv_bench.report.tables import print_table

    budget_bytes = parsing.size_in_bytes("--memory-budget", memory_budget)
    devices = _devices(given, verify)
    sweep, launcher = read_sweep(given, devices), read_launcher(given)
    cells = [
        cell.extended(
            MaxBatchConfiguration, memory_budget_bytes=budget_bytes, headroom=headroom, most=most
        )
        for cell in sweep.configurations(designed_sizes(sweep, launcher))
    ]
    return Experiment(
        name="max-batch",
        cells=cells,
        tables=("max_batch",),
        launcher=launcher,
        measure=lambda run, progress: find_max_batches(
            cells, run.table("max_batch"), launcher, progress, verify, given.cross_check
        ),
        draw=lambda rows, run: plot("max_batch", rows, run.plots),
        show=lambda rows, run: print_table("max_batch", rows),
        steps=2 * _TRIES,
        simulations=_TRIES,
        output=given.output,
    )


def _devices(given: SweepOptions, verify: bool) -> tuple[str, ...]:
    devices = parsing.words("--device", given.device or [SIMULATED])
    for device in devices:
        if device == "cpu":
            raise UsageError(
                f"--device cpu has no allocator to ask: take --device {SIMULATED}, which needs no "
                "GPU, or --device cuda"
            )
    if verify and SIMULATED in devices:
        raise UsageError("--verify trains with the answer: it needs --device cuda")
    return devices
