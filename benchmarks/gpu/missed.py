"""Take apart the rows of ``memory.csv`` that miss the goal: ``workspaces.csv`` beside it.

    python -m benchmarks.gpu.missed FOLDER

Exit code 1 if a row could not be taken apart; the others still are.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

from benchmarks.gpu.tables import measured, read
from benchmarks.gpu.verdicts import MEMORY_GOAL
from benchmarks.gpu.workspaces import Breakdown
from xconv_bench.configuration import MemoryConfiguration, columns_of
from xconv_bench.launch import Launcher

COLUMNS = (*columns_of(MemoryConfiguration), "status", "message", "part", "operator", "part_bytes")
_LONGEST_SECONDS = 60


def missed(folder: Path) -> list[MemoryConfiguration]:
    """Return the cells whose allocated peak misses the simulated one by more than the goal.

    The worst come first.
    """
    rows = measured(folder / "memory.csv")
    if rows.empty:
        return []
    rows = rows.dropna(subset=["allocated_peak_bytes", "simulated_peak_bytes"])
    off = (rows.allocated_peak_bytes / rows.simulated_peak_bytes - 1).abs()
    rows = rows[off > MEMORY_GOAL].assign(off=off).sort_values("off", ascending=False)
    return [cell_of(row) for _, row in rows.iterrows()]


def cell_of(row: Any) -> MemoryConfiguration:
    """Return the cell for a row of a frame."""
    values = {column: row[column] for column in columns_of(MemoryConfiguration)}
    return MemoryConfiguration(**{column: _value(value) for column, value in values.items()})


def main(arguments: list[str]) -> int:
    """Take apart what has not been taken apart before."""
    folder = Path(arguments[0])
    table = folder / "workspaces.csv"
    known = read(table)
    done = [] if known.empty else [cell_of(row) for _, row in known.iterrows()]
    launcher, code = Launcher(_LONGEST_SECONDS), 0
    for cell in missed(folder):
        if cell in done:
            continue
        outcome = launcher.run(Breakdown(cell), device=cell.device)
        parts = outcome.readings.get("parts") or [("", "", "")]
        with table.open("a", newline="") as file:
            writer = csv.writer(file)
            if not file.tell():
                writer.writerow(COLUMNS)
            head = (*cell.key.values(), outcome.status, outcome.message)
            writer.writerows([*head, *part] for part in parts)
        print(f"{cell.model} {cell.method} batch {cell.batch_size}: {outcome.status}")
        code |= outcome.status != "ok"
    return code


def _value(value: Any) -> Any:
    """Return a cell as it was written: in a frame empty ones are NaN, and whole numbers floats."""
    if isinstance(value, str):
        return value
    if value != value:
        return None
    return int(value) if float(value).is_integer() else float(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
