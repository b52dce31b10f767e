"""Memory of a task's training step by simulation: before it is trained, and to choose its batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from xconv_bench.configuration import SIMULATED, TrainingConfiguration
from xconv_bench.events import Event
from xconv_bench.measurement.batch_search import largest_batch
from xconv_bench.measurement.task_setup import simulate_task
from xconv_bench.methods import find_method
from xconv_bench.tasks import Task


@dataclass(frozen=True)
class TaskEstimate:
    """Yields ``peak_bytes``, ``step_operations`` of all steps together, and ``seconds`` it took.

    For a method that cannot be simulated, exact is simulated instead.
    """

    make: Callable[[], Task]
    cell: TrainingConfiguration

    def __call__(self) -> Iterator[Event]:
        """Simulate. Raises Unsupported where the method cannot be applied."""
        began = time.perf_counter()
        task, cell = self.make(), self.cell
        if not find_method(cell.method).is_simulated:
            cell = cell.as_exact()
        simulation = simulate_task(task, cell)
        steps = task.steps() * cell.epochs
        yield {
            "peak_bytes": simulation.count(cell.batch_size).peak_bytes,
            "step_operations": simulation.operations(cell.batch_size) * steps,
            "seconds": time.perf_counter() - began,
        }


@dataclass(frozen=True)
class EqualMemoryBatch:
    """Yields ``batch_size``: the largest whose step takes no more than exact's at the reference."""

    make: Callable[[], Task]
    cell: TrainingConfiguration
    most: int

    def __call__(self) -> Iterator[Event]:
        """Simulate. Raises Unsupported where the method cannot be simulated."""
        task, cell = self.make(), self.cell
        if cell.method == "exact":
            yield {"batch_size": cell.batch_size}
            return
        exact = simulate_task(task, replace(cell.as_exact(), device=SIMULATED))
        budget_bytes = exact.count(cell.batch_size).peak_bytes
        simulation = simulate_task(task, cell)

        def peak_bytes(batch_size: int) -> int:
            return simulation.count(batch_size).peak_bytes

        yield {"batch_size": max(largest_batch(peak_bytes, budget_bytes, self.most).size, 1)}
