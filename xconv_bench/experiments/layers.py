"""Memory at every layer: a configuration becomes a row for each moment of its step."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from xconv_bench.configuration import SIMULATED, Configuration
from xconv_bench.experiments.rows import Watcher, key_of, key_of_row, measure_missing, rows_by_cell
from xconv_bench.launch import Job, Launcher, Outcome
from xconv_bench.launch.job import Progress
from xconv_bench.measurement.layers import LayersMeasurement, UncachedLayersMeasurement
from xconv_bench.results.table import Row, Table


def measure_layers(
    cells: Sequence[Configuration],
    table: Table,
    launcher: Launcher,
    watcher: Watcher,
    cross_check: bool = True,
) -> list[Row]:
    """Measure what the table does not hold yet; the rows of all, in the order of the plan.

    ``cross_check`` holds simulations against a real step.

    The row of position 0 is written last, so that a configuration that has it has all others.
    """

    def write(done: Job, outcome: Outcome) -> list[Row]:
        (cell,) = done.cells
        first, *others = _rows(cell, outcome)
        table.put(*others, first)
        return [first]

    measure_missing(
        [(cell,) for cell in cells],
        rows_by_cell(table, position=0),
        launcher,
        watcher,
        lambda group: Job(group, partial(_measure, group[0])),
        write,
        lambda cell: cross_check and cell.device == SIMULATED,
    )
    return _rows_of(cells, table)


def _measure(cell: Configuration, launcher: Launcher, on_progress: Progress) -> Outcome:
    outcome = launcher.run(LayersMeasurement(cell), on_progress)
    if outcome.status == "ok" and cell.device.startswith("cuda"):
        _add_process_bytes(outcome, launcher.run(UncachedLayersMeasurement(cell), on_progress))
    return outcome


def _rows(cell: Configuration, outcome: Outcome) -> list[Row]:
    rows = outcome.readings.get("rows") or [{"position": 0}]
    key, end = cell.key, {"status": outcome.status, "message": outcome.message}
    return [{**key, "status": outcome.status, **(end if not n else {}), **row}
            for n, row in enumerate(rows)]  # fmt: skip


def _add_process_bytes(outcome: Outcome, uncached: Outcome) -> None:
    """The driver's count beside the allocator's, where it was measured at the same moments."""
    counts = uncached.readings.get("process_bytes", [])
    rows = outcome.readings["rows"]
    if len(counts) != len(rows):
        outcome.note(f"nvml: {uncached.message or 'the steps differ'}")
        return
    for row, count in zip(rows, counts, strict=True):
        row["nvml_process_bytes"] = count


def _rows_of(cells: Sequence[Configuration], table: Table) -> list[Row]:
    """In the order of the plan and of time."""
    places = {key_of(cell): number for number, cell in enumerate(cells)}
    names = table.key_columns[:-1]
    found = [(places.get(key_of_row(row, names)), row) for row in table.rows()]
    kept = [(place, row) for place, row in found if place is not None]
    return [row for _, row in sorted(kept, key=lambda pair: (pair[0], pair[1]["position"]))]
