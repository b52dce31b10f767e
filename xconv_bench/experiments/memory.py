"""Memory, time and gradient error of one training step, method by method."""

from collections.abc import Iterable
from typing import Any, Protocol

from xconv_bench.configuration import Configuration
from xconv_bench.launch import Launcher
from xconv_bench.measurement.measure import Measurement
from xconv_bench.results.columns import FINAL_STATUSES
from xconv_bench.results.table import Table


class Watcher(Protocol):
    """Who is told how the experiment gets on."""

    def started(self, configuration: Configuration) -> None:
        """A measurement begins."""

    def finished(self, configuration: Configuration, row: dict[str, Any], known: bool) -> None:
        """Its row is on the disk; ``known`` if it was there before."""


def measure_memory(
    configurations: Iterable[Configuration],
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
