"""Memory at every layer: a configuration becomes a row for each moment of its step."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from xconv_bench.configuration import SIMULATED, Configuration
from xconv_bench.experiments.rows import Watcher, measure_missing
from xconv_bench.experiments.writing import RowWriter, rows_of
from xconv_bench.launch import Job, Launcher, Listener, Outcome, Runner
from xconv_bench.measurement.layers import LayersMeasurement, UncachedLayersMeasurement
from xconv_bench.results.table import Row, Table


def measure_layers(
    cells: Sequence[Configuration],
    table: Table,
    launcher: Launcher,
    watcher: Watcher,
    cross_check: bool = True,
) -> list[Row]:
    """Measure what the table does not hold yet; return all rows in the order of the plan.

    ``cross_check`` holds simulations against a real step. A configuration is known by its row of
    position 0.
    """
    measure_missing(
        [(cell,) for cell in cells],
        RowWriter(table, known_by=lambda row: {"position": 0}, shares_status=True),
        launcher,
        watcher,
        lambda group: Job(group, partial(_measure, group[0])),
        lambda cell: cross_check and cell.device == SIMULATED,
    )
    return rows_of(cells, table, by="position")


def _measure(cell: Configuration, runner: Runner, listener: Listener) -> Outcome:
    outcome = runner.run(LayersMeasurement(cell), listener)
    if outcome.status == "ok" and cell.device.startswith("cuda"):
        _add_process_bytes(outcome, runner.run(UncachedLayersMeasurement(cell), listener))
    return outcome


def _add_process_bytes(outcome: Outcome, uncached: Outcome) -> None:
    """Put the driver's count beside the allocator's, where both were read at the same moments."""
    counts = uncached.readings.get("process_bytes", [])
    rows = outcome.rows["layers"]
    if len(counts) != len(rows):
        outcome.note(f"nvml: {uncached.message or 'the steps differ'}")
        return
    for row, count in zip(rows, counts, strict=True):
        row["nvml_process_bytes"] = count
