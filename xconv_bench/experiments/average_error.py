"""Batch sizes of the average gradient error: one for all, or what fits in the same memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from xconv_bench.configuration import AverageErrorConfiguration, GradientConfiguration
from xconv_bench.errors import BenchError, Unsupported
from xconv_bench.experiments.starting_weights import Watcher
from xconv_bench.launch import Launcher
from xconv_bench.launch.worker import Work
from xconv_bench.measurement.average_error import AverageErrorMeasurement
from xconv_bench.measurement.comparison import Start
from xconv_bench.measurement.largest_batch import LargestBatch
from xconv_bench.report.words import method_words

Tasks = dict[AverageErrorConfiguration, Callable[[AverageErrorConfiguration, Start], Work]]
"""Cells to measure, each with what makes its task."""


@dataclass(frozen=True)
class Fit:
    """The largest batch of a cell, 0 where there is none, and why there is none."""

    batch_size: int
    status: str = "ok"
    message: str = ""


@dataclass(frozen=True)
class DoesNotFit:
    """The task of a cell for which no batch was found: it fails at once, as the search did."""

    configuration: AverageErrorConfiguration
    start: Start
    status: str
    message: str

    def __call__(self) -> Iterator[dict[str, Any]]:
        """Raises MemoryError where not even one sample fits, Unsupported or BenchError."""
        kinds: dict[str, type[Exception]] = {"oom": MemoryError, "unsupported": Unsupported}
        raise kinds.get(self.status, BenchError)(self.message)


def at_batch_size(cells: Sequence[GradientConfiguration]) -> Tasks:
    """The batch sizes that the cells have; exact gradients take the same."""
    return {
        cell.extended(AverageErrorConfiguration): partial(
            AverageErrorMeasurement, chunk_size=cell.batch_size
        )
        for cell in cells
    }


def at_budget(
    cells: Sequence[GradientConfiguration],
    budget_bytes: int,
    headroom: float,
    launcher: Launcher,
    watcher: Watcher,
) -> Tasks:
    """Each cell with the largest batch whose simulated step takes ``headroom`` of the budget.

    No batch is larger than the data. What memory a method saves buys a larger batch, and a larger
    batch less noise: the paper's comparison. Exact gradients are computed in parts that fit
    exactly. Where no batch fits, the cell will be a row that says so.
    """
    fits: dict[GradientConfiguration, Fit] = {}

    def fit(cell: GradientConfiguration) -> Fit:
        if cell not in fits:
            what = f"largest batch of {cell.model} {method_words(cell.key)}"
            watcher.prepares(what)
            task = LargestBatch(cell, int(budget_bytes * headroom), most=cell.samples)
            outcome = launcher.run(task)
            size = outcome.readings.get("max_batch_size", 0)
            fits[cell] = Fit(size, outcome.status, outcome.message)
            watcher.prepared(what, str(fits[cell].batch_size))
        return fits[cell]

    tasks: Tasks = {}
    for cell in (replace(cell, batch_size=1) for cell in cells):
        found, exact = fit(cell), fit(cell.as_exact())
        sized = replace(cell, batch_size=max(found.batch_size, 1))
        key = sized.extended(AverageErrorConfiguration, memory_budget_bytes=budget_bytes)
        if found.batch_size:
            chunk_size = max(exact.batch_size, 1)
            tasks[key] = partial(AverageErrorMeasurement, chunk_size=chunk_size)
        else:
            tasks[key] = partial(DoesNotFit, status=found.status, message=found.message)
    return tasks
