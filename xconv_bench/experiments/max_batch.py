"""The largest batch whose training step fits in memory, method by method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from xconv_bench.configuration import SIMULATED, MaxBatchConfiguration
from xconv_bench.errors import BenchError
from xconv_bench.events import joined
from xconv_bench.experiments.rows import Watcher, measure_rows
from xconv_bench.launch import Job, Launcher, Listener, Outcome, Runner
from xconv_bench.measurement.allocated_peak import AllocatedPeak, LargestElements
from xconv_bench.measurement.batch_search import (
    NEVER,
    Refused,
    largest_batch,
    limit,
    words_on_refusals,
)
from xconv_bench.measurement.largest_batch import MOST_ELEMENTS, LargestBatch
from xconv_bench.results.table import Row, Table

VERIFYING_STEPS = 10

_REACH = 8
"""The most sizes in a row that may fail: each takes a process of its own."""


def find_max_batches(
    cells: Sequence[MaxBatchConfiguration],
    table: Table,
    launcher: Launcher,
    watcher: Watcher,
    verify: bool = False,
    cross_check: bool = True,
) -> list[Row]:
    """Look for what the table does not hold yet; return all rows, in the order of the plan.

    On a GPU each batch is really trained for a step, in a process of its own; with ``verify`` the
    answer for ``VERIFYING_STEPS`` steps more. ``cross_check`` holds simulations against a real
    step.
    """
    return measure_rows(
        cells,
        table,
        launcher,
        watcher,
        lambda cell: Job((cell,), partial(_search, cell, verify)),
        lambda cell: cross_check and cell.device == SIMULATED,
    )


def _search(
    cell: MaxBatchConfiguration, verify: bool, runner: Runner, listener: Listener
) -> Outcome:
    if cell.device == SIMULATED:
        budget = int(cell.memory_budget_bytes * cell.headroom)
        return runner.run(LargestBatch(cell, budget, cell.most), listener)
    return _Allocating(cell, runner).search(verify)


class _Allocating:
    """Makes steps of one cell on a GPU, one batch size after another."""

    def __init__(self, cell: MaxBatchConfiguration, runner: Runner) -> None:
        self._cell = cell
        self._runner = runner
        self._too_many_elements: set[int] = set()
        self._message = ""
        self._is_simulated = True

    def search(self, verify: bool) -> Outcome:
        """Return the outcome of the cell, with the steps of its largest batch."""
        budget = int(self._cell.memory_budget_bytes * self._cell.headroom)
        try:
            found = largest_batch(self._peak, budget, self._cell.most, _REACH)
        except BenchError as error:
            return Outcome("error", str(error))
        size, peak = found.size, found.peak
        if size == 0:
            needs = "more than there is" if peak == NEVER else f"{peak / 2**20:.1f} MiB"
            samples = "one sample" if found.beyond == 1 else f"{found.beyond} samples"
            return Outcome("oom", f"a batch of {samples} needs {needs}")
        message = joined(self._message, words_on_refusals(found))
        readings = {
            "max_batch_size": size,
            "allocated_peak_bytes": peak,
            "limited_by": limit(found, self._too_many_elements),
        }
        if not verify:
            return Outcome(message=message, readings=readings)
        cell = replace(self._cell, batch_size=size)
        trained = self._runner.run(AllocatedPeak(cell, VERIFYING_STEPS, trains=True))
        readings |= {"trained_steps": trained.readings.get("trained_steps")}
        return Outcome(trained.status, trained.message, readings)

    def _peak(self, batch_size: int) -> int:
        cell = replace(self._cell, batch_size=batch_size)
        elements = self._elements(cell)
        if elements is not None and elements > MOST_ELEMENTS:
            self._too_many_elements.add(batch_size)
            return NEVER
        outcome = self._runner.run(AllocatedPeak(cell))
        if outcome.status == "oom":
            return NEVER
        if outcome.status != "ok":
            raise Refused(outcome.message)
        self._is_simulated = elements is not None  # this size was no reason not to be
        self._message = outcome.message
        peak: int = outcome.readings["allocated_peak_bytes"]
        return peak

    def _elements(self, cell: MaxBatchConfiguration) -> int | None:
        """Return the elements of the largest tensor; None where it is not simulated."""
        if not self._is_simulated:
            return None
        simulated = self._runner.run(LargestElements(cell))
        elements: int | None = simulated.readings.get("largest_elements")
        return elements if simulated.status == "ok" else None
