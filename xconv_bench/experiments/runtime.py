"""Time of a step, method by method: what is compared is measured in turns, in one process."""

from __future__ import annotations

from collections.abc import Sequence

from xconv_bench.configuration import Configuration
from xconv_bench.experiments.rows import Watcher, measure_missing
from xconv_bench.experiments.writing import RowWriter
from xconv_bench.knobs import KNOBS
from xconv_bench.launch import Job, Launcher
from xconv_bench.measurement.runtime import RuntimeMeasurement
from xconv_bench.results.schema import Cell
from xconv_bench.results.table import Row, Table


def measure_runtime(
    cells: Sequence[Configuration], table: Table, launcher: Launcher, watcher: Watcher, rounds: int
) -> list[Row]:
    """Measure what the table does not hold yet; return all rows in the order of the plan.

    Ratios need the exact step of the same rounds: what is compared is measured in one job.
    """
    rows = measure_missing(
        [tuple(group) for group in groups_of(cells)],
        RowWriter(table),
        launcher,
        watcher,
        lambda group: Job.of(RuntimeMeasurement(group, rounds), *group),
    )
    return [rows[cell] for cell in cells]


def groups_of(cells: Sequence[Configuration]) -> list[list[Configuration]]:
    """Return groups of cells that differ in method and knobs only, in their order."""
    groups: dict[tuple[Cell, ...], list[Configuration]] = {}
    for cell in cells:
        setting = tuple(v for c, v in cell.key.items() if c not in ("method", *KNOBS))
        groups.setdefault(setting, []).append(cell)
    return list(groups.values())
