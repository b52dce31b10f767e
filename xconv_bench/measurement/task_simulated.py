"""The simulated step of a task, held against a real one: work of its own for the launcher."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from xconv.budget import plans_kept
from xconv_bench.configuration import SIMULATED, TrainingConfiguration
from xconv_bench.events import Event, Message
from xconv_bench.measurement.agreement import disagreement
from xconv_bench.measurement.counting import Count, Simulation, count
from xconv_bench.measurement.cross_check import BATCH_SIZES, TooLarge, check_is_cheap
from xconv_bench.measurement.task_setup import build_task, simulate_task
from xconv_bench.measurement.training import Training
from xconv_bench.tasks import Task


@dataclass(frozen=True)
class SimulatedTraining:
    """Yields ``simulated_peak_bytes``, then, with ``cross_check``, ``doubt`` as ``CrossCheck``."""

    make: Callable[[], Task]
    configuration: TrainingConfiguration
    cross_check: bool = True

    def __call__(self) -> Iterator[Event]:
        """Simulate. Raises what the network raises, Unsupported where it cannot be simulated."""
        task, cell = self.make(), self.configuration
        yield {"simulated_peak_bytes": simulate_task(task, cell).count(cell.batch_size).peak_bytes}
        if self.cross_check:
            yield doubt(task, cell)


def doubt(task: Task, cell: TrainingConfiguration) -> Event:
    """Return ``doubt``, empty where a real step on the CPU takes what the simulated one does.

    Return a message instead where not even a small step is cheap.
    """
    cell = replace(cell, device=SIMULATED)
    simulation = simulate_task(task, cell)
    try:
        size, expected = _cheap(simulation, cell.batch_size if task.has_batches else 1)
    except TooLarge as error:
        return Message(f"not cross-checked: {error}")
    # Copies, not views: a view keeps the whole batch.
    batch = {name: tensor[:size].clone() for name, tensor in next(iter(task.batches(0))).items()}
    training = Training(build_task(task, cell), batch, task.loss)
    with plans_kept():  # as in the simulation
        training.step()
    said = disagreement(expected, count(training))
    return {"doubt": f"{said} (batch {size} on the CPU)" if said else ""}


def _cheap(simulation: Simulation, most: int) -> tuple[int, Count]:
    """Return a number of samples whose step is cheap, and its count. Raises TooLarge."""
    for size in BATCH_SIZES:
        size = min(size, most)
        counted = simulation.count(size)
        try:
            check_is_cheap(counted, simulation.operations(size))
            return size, counted
        except TooLarge as error:
            failure = error
    raise failure
