"""Memory, time and gradient error of one training step, method by method."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Protocol

from xconv_bench.configuration import Configuration, MemoryConfiguration
from xconv_bench.launch import Launcher
from xconv_bench.measurement.measure import Measurement
from xconv_bench.results.columns import FINAL_STATUSES
from xconv_bench.results.table import Table


def repeat(configurations: Iterable[Configuration], repeats: int) -> list[MemoryConfiguration]:
    """All of them ``repeats`` times, the i-th time with the i-th seed from their own on."""
    cells = list(configurations)
    return [
        replace(cell, seed=cell.seed + index).extended(MemoryConfiguration, repeat=index)
        for index in range(repeats)
        for cell in cells
    ]


class Watcher(Protocol):
    """Who is told how the experiment gets on."""

    def started(self, configuration: Configuration) -> None:
        """A measurement begins."""

    def finished(self, configuration: Configuration, row: dict[str, Any], known: bool) -> None:
        """Its row is on the disk; ``known`` if it was there before."""


def measure_memory(
    configurations: Iterable[MemoryConfiguration],
    table: Table,
    launcher: Launcher,
    watcher: Watcher,
    timed_steps: int = 3,
) -> list[dict[str, Any]]:
    """Measure what the table does not hold yet; the rows of all, in the order of the plan."""
    rows = []
    for configuration in configurations:
        row = table.find(configuration.key)
        known = row is not None and row["status"] in FINAL_STATUSES
        if row is None or not known:
            watcher.started(configuration)
            outcome = launcher.run(Measurement(configuration, timed_steps))
            table.put({**configuration.key, **outcome.row})
            row = table.find(configuration.key)
        assert row is not None
        watcher.finished(configuration, row, known)
        rows.append(row)
    return rows
