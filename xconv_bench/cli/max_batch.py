"""``xconv-bench max-batch``: the largest batch that fits in memory, method by method."""

from __future__ import annotations

from xconv_bench.cli import options, parsing
from xconv_bench.cli.experiment import Experiment
from xconv_bench.cli.given import SweepOptions, taking
from xconv_bench.cli.sweeps import designed_sizes, read_launcher, read_sweep
from xconv_bench.configuration import SIMULATED, MaxBatchConfiguration
from xconv_bench.errors import UsageError

_TRIES = 15
"""Batches of a search, roughly."""


@taking(SweepOptions, without=("batch_size",), model=..., device=[SIMULATED])
def max_batch(
    given: SweepOptions,
    memory_budget: options.Budget = "16GiB",
    headroom: options.PartOfBudget = options.HEADROOM,
    most: options.Most = 65536,
    verify: options.Verify = False,
) -> Experiment:
    """Find the largest batch whose training step fits in a memory budget.

    Options marked ... take several values: repeat them, or put commas between.

    Simulated, unless --device cuda: then each batch is really trained for a step, and what is
    counted is the peak of torch's allocator. The answer has been tried, and so has one sample more.
    """
    from xconv_bench.experiments.max_batch import find_max_batches
    from xconv_bench.report.max_batch_table import print_max_batch_table
    from xconv_bench.report.pictures import plot

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
        show=lambda rows, run: print_max_batch_table(rows),
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
