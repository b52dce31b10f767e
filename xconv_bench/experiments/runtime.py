"""Time of a step, method by method: what is compared is measured in turns, in one process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from xconv_bench.configuration import KNOBS, Configuration
from xconv_bench.launch import Launcher
from xconv_bench.measurement.runtime import RuntimeMeasurement
from xconv_bench.results.columns import FINAL_STATUSES, Cell
from xconv_bench.results.table import Row, Table


class Watcher(Protocol):
    """Who is told how the experiment gets on."""

    def started(self, configuration: Configuration) -> None:
        """A group begins; ``configuration`` is its first."""

    def progressed(self, fraction: float) -> None:
        """So much of it is done, from 0 to 1."""

    def finished(self, configuration: Configuration, row: dict[str, Any], known: bool) -> None:
        """Its row is on the disk; ``known`` if it was there before."""


def measure_runtime(
    cells: Sequence[Configuration], table: Table, launcher: Launcher, watcher: Watcher, rounds: int
) -> list[Row]:
    """Measure what the table does not hold yet; the rows of all, in the order of the plan.

    Ratios need the exact step of the same rounds: where anything of a group is missing, the whole
    group is measured.
    """
    rows: list[Row] = []
    for group in groups_of(cells):
        found = [table.find(cell.key) for cell in group]
        known = all(row is not None and row["status"] in FINAL_STATUSES for row in found)
        if not known:
            watcher.started(group[0])
            outcome = launcher.run(RuntimeMeasurement(tuple(group), rounds), watcher.progressed)
            failure = {"status": outcome.status, "message": outcome.message}
            measured = outcome.readings.get("rows") or [failure] * len(group)
            table.put(*({**c.key, **row} for c, row in zip(group, measured, strict=True)))
        for cell in group:
            row = table.find(cell.key)
            assert row is not None
            watcher.finished(cell, row, known)
            rows.append(row)
    return rows


def groups_of(cells: Sequence[Configuration]) -> list[list[Configuration]]:
    """Cells that differ in method and knobs only, in their order."""
    groups: dict[tuple[Cell, ...], list[Configuration]] = {}
    for cell in cells:
        setting = tuple(v for c, v in cell.key.items() if c not in ("method", *KNOBS))
        groups.setdefault(setting, []).append(cell)
    return list(groups.values())
