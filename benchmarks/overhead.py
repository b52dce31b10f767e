"""Measure the overhead of a measurement: a process, its pipe, a row on the disk.

    python -m benchmarks.overhead

The same simulations run twice: one after another in this process, and as the command runs them,
each in a process of its own with its row in a table. The difference is the overhead. The first
measurement, which starts the fork server and imports torch there, is shown apart.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.table import Table as Printed

from xconv_bench.configuration import SIMULATED, Configuration, MemoryConfiguration
from xconv_bench.events import Progress
from xconv_bench.experiments.memory import measure_memory
from xconv_bench.launch import Launcher
from xconv_bench.measurement.simulated import simulate
from xconv_bench.results.run_directory import RunDirectory

MEASUREMENTS = 20
LIMIT_SECONDS = 0.3
MODELS = ("conv:16", "paper/cifar", "resnet18")


class Clock:
    """A listener that notes when each measurement is on the disk."""

    def __init__(self) -> None:
        self.times = [time.perf_counter()]

    def started(self, configuration: Configuration) -> None:
        """Ignore the start of a measurement."""

    def progressed(self, configuration: Configuration, progress: Progress) -> None:
        """Ignore progress inside a measurement."""

    def wrote(self, configuration: Configuration, rows: Sequence[Mapping[str, Any]]) -> None:
        """Ignore rows that come before a measurement ends."""

    def finished(self, configuration: Configuration, row: dict[str, Any], known: bool) -> None:
        """Note that a measurement is on the disk."""
        self.times.append(time.perf_counter())

    @property
    def seconds(self) -> list[float]:
        """Return the seconds that each measurement took."""
        return [after - before for before, after in zip(self.times, self.times[1:], strict=False)]


def in_this_process(cells: list[MemoryConfiguration]) -> list[float]:
    """Return the seconds of each simulation alone, without the imports of the first."""
    simulate(cells[0])
    seconds = []
    for cell in cells:
        began = time.perf_counter()
        simulate(cell)
        seconds.append(time.perf_counter() - began)
    return seconds


def as_measured(cells: list[MemoryConfiguration], folder: Path) -> list[float]:
    """Return the seconds from one row on the disk to the next."""
    clock = Clock()
    with RunDirectory("memory", "overhead", folder) as run:
        measure_memory(cells, run.table("memory"), Launcher(600), clock, cross_check=False)
    return clock.seconds


def main() -> None:
    """Print both, model by model."""
    table = Printed("model", "first", "measured", "by itself", "overhead", box=None)
    worst = 0.0
    for model in MODELS:
        size = 224 if model == "resnet18" else 32
        cells = [
            MemoryConfiguration(model, device=SIMULATED, image_size=size, batch_size=number)
            for number in range(1, MEASUREMENTS + 1)
        ]
        with TemporaryDirectory() as folder:
            first, *measured = as_measured(cells, Path(folder) / "run")
        alone = median(in_this_process(cells)[1:])
        overhead = median(measured) - alone
        worst = max(worst, overhead)
        figures = (first, median(measured), alone, overhead)
        table.add_row(model, *(f"{figure:.3f} s" for figure in figures))
    Console().print(table)
    print(f"the largest overhead: {worst:.3f} s (the goal: below {LIMIT_SECONDS} s)")


if __name__ == "__main__":
    main()
