"""Memory, time and gradient error of one training step, method by method."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from xconv_bench.configuration import SIMULATED, Configuration, MemoryConfiguration
from xconv_bench.experiments.cross_checks import judge
from xconv_bench.experiments.rows import Watcher, measure_rows
from xconv_bench.launch import Job, Launcher, Listener, Outcome, Runner
from xconv_bench.measurement.agreement import disagreement
from xconv_bench.measurement.measure import Measurement
from xconv_bench.measurement.simulated import COUNT, SimulationWork
from xconv_bench.results.statuses import DOUBTFUL
from xconv_bench.results.table import Row, Table


def repeat(configurations: Iterable[Configuration], repeats: int) -> list[MemoryConfiguration]:
    """Return all of them ``repeats`` times, the i-th time with the i-th seed from their own on."""
    cells = list(configurations)
    return [
        replace(cell, seed=cell.seed + index).extended(MemoryConfiguration, repeat=index)
        for index in range(repeats)
        for cell in cells
    ]


def measure_memory(
    configurations: Iterable[MemoryConfiguration],
    table: Table,
    launcher: Launcher,
    watcher: Watcher,
    timed_steps: int = 3,
    cross_check: bool = True,
) -> list[Row]:
    """Measure what the table does not hold yet; return all rows, in the order of the plan.

    ``cross_check`` holds simulations against a real step: on the CPU the one that is measured.
    """
    return measure_rows(
        configurations,
        table,
        launcher,
        watcher,
        lambda cell: Job((cell,), partial(_measure, cell, timed_steps, cross_check)),
        lambda cell: cross_check and cell.device != "cpu",
    )


def _measure(
    cell: MemoryConfiguration,
    timed_steps: int,
    cross_check: bool,
    runner: Runner,
    listener: Listener,
) -> Outcome:
    """Simulate, and measure in another process: what one of them dies of kills no other figure."""
    simulated = runner.run(SimulationWork(cell), listener)
    expected = simulated.readings.pop(COUNT, None)
    if cell.device == SIMULATED:
        return simulated
    outcome = runner.run(Measurement(cell, timed_steps), listener)
    counted = outcome.readings.pop(COUNT, None)
    if expected is not None:
        outcome.readings["simulated_peak_bytes"] = expected.peak_bytes
        if cross_check and cell.device == "cpu" and counted is not None:
            _doubt(outcome, disagreement(expected, counted))
    # A network that cannot be trained cannot be simulated, for the same reason.
    elif outcome.status == "ok":
        judge(outcome, simulated)
    return outcome


def _doubt(outcome: Outcome, message: str) -> None:
    if message and outcome.status == "ok":
        outcome.end(DOUBTFUL, message)
