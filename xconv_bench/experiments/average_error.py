"""Batch sizes of the average gradient error: one for all, or what fits in the same memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from xconv_bench.configuration import AverageErrorConfiguration, GradientConfiguration
from xconv_bench.errors import BenchError
from xconv_bench.launch import Launcher
from xconv_bench.measurement.largest_batch import LargestBatch

Chunks = dict[AverageErrorConfiguration, int]
"""Cells to measure, each with how many samples the exact network takes at a time."""


def at_batch_size(cells: Sequence[GradientConfiguration]) -> Chunks:
    """The batch sizes that the cells have; exact gradients take the same."""
    return {cell.extended(AverageErrorConfiguration): cell.batch_size for cell in cells}


def at_budget(
    cells: Sequence[GradientConfiguration], budget_bytes: int, headroom: float, launcher: Launcher
) -> Chunks:
    """Each cell with the largest batch whose simulated step takes ``headroom`` of the budget.

    No batch is larger than the data. What memory a method saves buys a larger batch, and a larger
    batch less noise: the paper's comparison. Raises BenchError where no batch fits.
    """
    found: dict[GradientConfiguration, int] = {}

    def largest(cell: GradientConfiguration) -> int:
        cell = replace(cell, batch_size=1)
        if cell not in found:
            task = LargestBatch(cell, int(budget_bytes * headroom), most=cell.samples)
            outcome = launcher.run(task)
            if outcome.status != "ok":
                raise BenchError(outcome.message)
            found[cell] = outcome.readings["batch_size"]
        return found[cell]

    return {
        replace(cell, batch_size=largest(cell)).extended(
            AverageErrorConfiguration, memory_budget_bytes=budget_bytes
        ): largest(cell.as_exact())
        for cell in cells
    }
