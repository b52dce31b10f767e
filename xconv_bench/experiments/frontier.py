"""Memory against error and time: the rows of three tables joined, and which are beaten."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xconv_bench.configuration import (
    Configuration,
    ErrorConfiguration,
    GradientConfiguration,
    MemoryConfiguration,
    columns_of,
)
from xconv_bench.knobs import KNOBS
from xconv_bench.naming import method_words
from xconv_bench.results.schema import ALL_LAYERS, TABLES, Cell
from xconv_bench.results.schema.shared import PEAKS
from xconv_bench.results.statuses import DOUBTFUL, MEASURED_STATUSES
from xconv_bench.results.table import Row, Table
from xconv_bench.statistics.pareto import Coordinates, dominator

PEAK_METERS = tuple(name for name in PEAKS if not TABLES["memory"][name].is_simulated)
"""Meters of the peak, best first; one is taken for all that are compared."""

_OF_RUNTIME = ("step_seconds", "step_ratio", "cpu_wait_part")

_AXES = {
    "beaten_in_error_by": ("peak_bytes", "relative_error"),
    "beaten_in_time_by": ("peak_bytes", "step_seconds"),
    "beaten_in_all_by": ("peak_bytes", "relative_error", "step_seconds"),
}


def memory_cell(cell: GradientConfiguration) -> MemoryConfiguration:
    """Return the cell of ``memory.csv`` for this cell."""
    names = set(columns_of(MemoryConfiguration)) & cell.key.keys()
    return MemoryConfiguration(**{name: cell.key[name] for name in names})


def runtime_cell(cell: GradientConfiguration) -> Configuration:
    """Return the cell of ``runtime.csv`` for this cell."""
    return Configuration(**{name: cell.key[name] for name in columns_of(Configuration)})


def error_cell(cell: GradientConfiguration, repeats: int) -> ErrorConfiguration:
    """Return the cell of ``error.csv`` for this cell."""
    return cell.extended(ErrorConfiguration, repeats=repeats)


def frontier_rows(
    cells: Sequence[GradientConfiguration],
    memory: Table,
    runtime: Table,
    error: Table,
    repeats: int,
) -> list[Row]:
    """Return the rows of ``frontier.csv`` for these cells, in their order.

    Cells that differ in method and knobs only are compared with each other.
    """
    groups: dict[tuple[Cell, ...], list[dict[str, Any]]] = {}
    rows = []
    for cell in cells:
        whole = {**error_cell(cell, repeats).key, "layer": ALL_LAYERS}
        row = _joined(
            cell,
            memory.find(memory_cell(cell).key),
            runtime.find(runtime_cell(cell).key),
            error.find(whole),
        )
        setting = tuple(v for c, v in cell.key.items() if c not in ("method", *KNOBS))
        groups.setdefault(setting, []).append(row)
        rows.append(row)
    for group in groups.values():
        _compare(group)
    return [{c: v for c, v in row.items() if c not in PEAK_METERS} for row in rows]


def _joined(
    cell: GradientConfiguration, memory: Row | None, runtime: Row | None, error: Row | None
) -> dict[str, Any]:
    """Join the rows of a cell; its status is that of the first table that has no result.

    Peaks are really measured: where their simulation is doubtful, they are not.
    """
    found = [row for row in (memory, runtime, error) if row is not None]
    failed = [row for row in found if row["status"] not in MEASURED_STATUSES][:1]
    doubtful = [DOUBTFUL for row in found if row["status"] == DOUBTFUL]
    messages = dict.fromkeys(
        part for row in failed or found for part in str(row["message"] or "").split("; ") if part
    )
    return {
        **cell.key,
        "status": failed[0]["status"] if failed else (*doubtful, "ok")[0],
        "message": "; ".join(messages),
        **{meter: (memory or {}).get(meter) for meter in PEAK_METERS},
        **{column: (runtime or {}).get(column) for column in _OF_RUNTIME},
        **_error(error or {}),
    }


def _error(row: Row) -> Row:
    """Return the error, zero where it is rounding, so that no method is beaten by rounding."""
    columns = ("relative_error", "relative_error_se")
    is_exact = row.get("bias_verdict") == "exact"
    found = {column: 0.0 if is_exact else row.get(column) for column in columns}
    return {**found, "floor_error": row.get("floor_error")}


def _compare(rows: list[dict[str, Any]]) -> None:
    """Fill in what depends on the others: the meter, ratios to exact, and what beats what."""
    measured = [row for row in rows if row["status"] in MEASURED_STATUSES]
    meter = next((m for m in PEAK_METERS if all(row[m] for row in measured)), PEAK_METERS[-1])
    exact = next((row for row in measured if row["method"] == "exact"), None)
    for row in measured:
        row |= {"peak_meter": meter, "peak_bytes": row[meter]}
        if exact is not None:
            row["peak_ratio"] = _ratio(row[meter], exact[meter])
    for column, axes in _AXES.items():
        placed = [row for row in measured if all(row[axis] is not None for axis in axes)]
        points: list[Coordinates] = [tuple(float(row[axis]) for axis in axes) for row in placed]
        for index, row in enumerate(placed):
            better = dominator(points, index)
            row[column] = None if better is None else method_words(placed[better])


def _ratio(value: Cell, exact: Cell) -> float | None:
    if not isinstance(value, int | float) or not isinstance(exact, int | float) or not exact:
        return None
    return value / exact
