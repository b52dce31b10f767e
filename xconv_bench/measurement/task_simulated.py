"""The simulated step of a task, held against a real one: a task of its own for the launcher."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from xconv_bench.configuration import SIMULATED, TrainingConfiguration
from xconv_bench.measurement.agreement import disagreement
from xconv_bench.measurement.cross_check import TooLarge, check_is_cheap
from xconv_bench.measurement.task_step import SimulatedTask, TaskStep, build, count_step
from xconv_bench.tasks import Task

_SAMPLES = 8


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
    size = min(cell.batch_size, _SAMPLES) if task.has_batches else 1
    simulated = SimulatedTask(task, cell)
    expected = simulated.count(size)
    try:
        check_is_cheap(expected, simulated.operations(size))
    except TooLarge as error:
        return {"message": f"not cross-checked: {error}"}
    batch = {name: tensor[:size] for name, tensor in next(iter(task.batches(0))).items()}
    step = TaskStep(task, build(task, cell), batch)
    step()
    said = disagreement(expected, count_step(step))
    return {"doubt": f"{said} (batch {size} on the CPU)" if said else ""}
