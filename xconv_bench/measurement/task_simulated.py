"""The simulated step of a task, held against a real one: a task of its own for the launcher."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from xconv_bench.configuration import SIMULATED, TrainingConfiguration
from xconv_bench.measurement.agreement import disagreement
from xconv_bench.measurement.counting import Count
from xconv_bench.measurement.cross_check import BATCH_SIZES, TooLarge, check_is_cheap
from xconv_bench.measurement.task_step import SimulatedTask, TaskStep, build, count_step
from xconv_bench.tasks import Task


@dataclass(frozen=True)
class SimulatedTraining:
    """Yields ``simulated_peak_bytes``, then, with ``cross_check``, ``doubt`` as ``CrossCheck``."""

    make: Callable[[], Task]
    configuration: TrainingConfiguration
    cross_check: bool = True

    def __call__(self) -> Iterator[dict[str, Any]]:
        """Simulate. Raises what the network raises, Unsupported where it cannot be simulated."""
        task, cell = self.make(), self.configuration
        yield {"simulated_peak_bytes": SimulatedTask(task, cell).peak_bytes(cell.batch_size)}
        if self.cross_check:
            yield doubt(task, cell)


def doubt(task: Task, cell: TrainingConfiguration) -> dict[str, str]:
    """Return ``doubt``, empty where a real step on the CPU takes what the simulated one does.

    Or ``message``, where not even a small step is cheap.
    """
    cell = replace(cell, device=SIMULATED)
    simulated = SimulatedTask(task, cell)
    try:
        size, expected = _cheap(simulated, cell.batch_size if task.has_batches else 1)
    except TooLarge as error:
        return {"message": f"not cross-checked: {error}"}
    # Copies, not views: a view keeps the whole batch.
    batch = {name: tensor[:size].clone() for name, tensor in next(iter(task.batches(0))).items()}
    step = TaskStep(task, build(task, cell), batch)
    step()
    said = disagreement(expected, count_step(step))
    return {"doubt": f"{said} (batch {size} on the CPU)" if said else ""}


def _cheap(simulated: SimulatedTask, most: int) -> tuple[int, Count]:
    """A number of samples whose step is cheap, and its count. Raises TooLarge."""
    for size in BATCH_SIZES:
        size = min(size, most)
        counted = simulated.count(size)
        try:
            check_is_cheap(counted, simulated.operations(size))
            return size, counted
        except TooLarge as error:
            failure = error
    raise failure
