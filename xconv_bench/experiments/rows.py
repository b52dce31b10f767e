"""A configuration becomes a row: measured once, on the disk at once."""

from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

from xconv_bench.configuration import Configuration
from xconv_bench.launch import Outcome
from xconv_bench.results.columns import FINAL_STATUSES
from xconv_bench.results.table import Row, Table

Cell = TypeVar("Cell", bound=Configuration)


class Watcher(Protocol):
    """Who is told how the experiment gets on."""

    def started(self, configuration: Configuration) -> None:
        """A measurement begins."""

    def finished(self, configuration: Configuration, row: dict[str, Any], known: bool) -> None:
        """Its row is on the disk; ``known`` if it was there before."""


def measure_rows(
    configurations: Iterable[Cell],
    table: Table,
    watcher: Watcher,
    measure: Callable[[Cell], Outcome],
) -> list[Row]:
    """Measure what the table does not hold yet; the rows of all, in the order of the plan."""
    rows = []
    for configuration in configurations:
        row = table.find(configuration.key)
        known = row is not None and row["status"] in FINAL_STATUSES
        if row is None or not known:
            watcher.started(configuration)
            outcome = measure(configuration)
            table.put({**configuration.key, **outcome.row})
            row = table.find(configuration.key)
        assert row is not None
        watcher.finished(configuration, row, known)
        rows.append(row)
    return rows
