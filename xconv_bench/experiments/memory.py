"""Memory, time and gradient error of one training step, method by method."""

from collections.abc import Iterable
from dataclasses import replace

from xconv_bench.configuration import Configuration, MemoryConfiguration
from xconv_bench.experiments.rows import Watcher, measure_rows
from xconv_bench.launch import Job, Launcher
from xconv_bench.measurement.measure import Measurement
from xconv_bench.results.table import Row, Table


def repeat(configurations: Iterable[Configuration], repeats: int) -> list[MemoryConfiguration]:
    """All of them ``repeats`` times, the i-th time with the i-th seed from their own on."""
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
) -> list[Row]:
    """Measure what the table does not hold yet; the rows of all, in the order of the plan."""
    return measure_rows(
        configurations,
        table,
        launcher,
        watcher,
        lambda cell: Job.of(Measurement(cell, timed_steps), cell),
    )
