"""Survey of tasks before anything is trained: their own choices, and their mistakes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from xconv_bench.events import Event
from xconv_bench.measurement.survey import Survey
from xconv_bench.tasks import TaskOptions, make_task


@dataclass(frozen=True)
class MakeTask:
    """Makes a task where it is called: picklable."""

    name: str
    options: TaskOptions

    def __call__(self) -> Any:
        """Make the task. Raises UsageError for options that it does not take."""
        return make_task(self.name, self.options)


@dataclass(frozen=True)
class TaskSurvey:
    """Yields ``tasks``: by name what each has chosen, and how many samples it has.

    Raises UsageError for tasks, devices and options that do not exist.
    """

    makers: tuple[MakeTask, ...]
    devices: tuple[str, ...]

    def __call__(self) -> Iterator[Event]:
        """Make every task once."""
        yield from Survey((), self.devices, computes=True)()
        found = {}
        for make in self.makers:
            task = make()
            found[make.name] = {
                "model": task.model,
                "data": task.data,
                "image_size": task.image_size,
                "batch_size": task.batch_size,
                "epochs": task.epochs,
                "learning_rate": task.learning_rate,
                "has_batches": task.has_batches,
                "sample_count": task.sample_count,
            }
        yield {"tasks": found}
