"""Batch sizes of the average gradient error: one for all, or what fits in the same memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from xconv_bench.configuration import AverageErrorConfiguration, GradientConfiguration
from xconv_bench.errors import BenchError, Unsupported
from xconv_bench.events import Event, Message, Work
from xconv_bench.experiments.cross_checks import CrossChecks
from xconv_bench.experiments.starting_weights import PreparationWatcher
from xconv_bench.launch import Launcher
from xconv_bench.measurement.average_error import AverageErrorMeasurement
from xconv_bench.measurement.comparison import Start
from xconv_bench.measurement.largest_batch import LargestBatch
from xconv_bench.naming import method_words, model_words
from xconv_bench.results.statuses import DOUBTFUL

Measurements = dict[AverageErrorConfiguration, Callable[[AverageErrorConfiguration, Start], Work]]
"""Cells to measure, each with the function that makes its work."""


@dataclass(frozen=True)
class Fit:
    """The largest batch of a cell, 0 where there is none, and why there is none."""

    batch_size: int
    status: str = "ok"
    message: str = ""


@dataclass(frozen=True)
class DoesNotFit:
    """Fails at once, as the search did: the work of a cell for which no batch was found."""

    configuration: AverageErrorConfiguration
    start: Start
    status: str
    message: str

    def __call__(self) -> Iterator[Event]:
        """Raise MemoryError where not even one sample fits, else Unsupported or BenchError."""
        kinds: dict[str, type[Exception]] = {"oom": MemoryError, "unsupported": Unsupported}
        raise kinds.get(self.status, BenchError)(self.message)


@dataclass(frozen=True)
class Doubted:
    """Says in the row why the batch of a cell may not fit, and measures."""

    work: Work
    doubt: str

    def __call__(self) -> Iterator[Event]:
        """Say it, and measure."""
        yield Message(f"batch size: {self.doubt}")
        yield from self.work()


def _doubted(
    measuring: Callable[[AverageErrorConfiguration, Start], Work],
    doubt: str,
    cell: AverageErrorConfiguration,
    start: Start,
) -> Doubted:
    return Doubted(measuring(cell, start), doubt)


def at_batch_size(cells: Sequence[GradientConfiguration]) -> Measurements:
    """Plan cells at the batch sizes that they have; exact gradients take the same."""
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
    watcher: PreparationWatcher,
    cross_check: bool = True,
) -> Measurements:
    """Plan each cell with the largest batch whose simulated step takes ``headroom`` of the budget.

    No batch is larger than the data. Memory that a method saves buys a larger batch, and a larger
    batch less noise: the paper's comparison. Exact gradients are computed in parts that fit
    exactly. Where no batch fits, the cell will be a row that says so; so will a cell whose batch
    a real step makes doubtful, where ``cross_check`` makes one.
    """
    ones = [replace(cell, batch_size=1) for cell in cells]
    searched = [*ones, *(cell.as_exact() for cell in ones)]
    checks = CrossChecks(searched if cross_check else [], launcher)
    fits: dict[GradientConfiguration, Fit] = {}

    def fit(cell: GradientConfiguration) -> Fit:
        if cell not in fits:
            what = f"largest batch of {model_words(cell.model)} {method_words(cell.key)}"
            watcher.prepares(what)
            work = LargestBatch(cell, int(budget_bytes * headroom), most=cell.samples)
            outcome = launcher.run(work)
            checks.apply(cell, outcome)
            size = outcome.readings.get("max_batch_size", 0)
            fits[cell] = Fit(size, outcome.status, outcome.message)
            said = f", {outcome.message}" if outcome.status == DOUBTFUL else ""
            watcher.prepared(what, f"{size}{said}")
        return fits[cell]

    measurements: Measurements = {}
    for cell in ones:
        found, exact = fit(cell), fit(cell.as_exact())
        sized = replace(cell, batch_size=max(found.batch_size, 1))
        key = sized.extended(AverageErrorConfiguration, memory_budget_bytes=budget_bytes)
        if found.batch_size:
            chunk_size = max(exact.batch_size, 1)
            measuring = partial(AverageErrorMeasurement, chunk_size=chunk_size)
            doubt = found.message if found.status == DOUBTFUL else ""
            measurements[key] = partial(_doubted, measuring, doubt) if doubt else measuring
        else:
            measurements[key] = partial(DoesNotFit, status=found.status, message=found.message)
    return measurements
