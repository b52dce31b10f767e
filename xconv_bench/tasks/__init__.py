"""Tasks to train on, one file a family. A new task is one class and one line here."""

from __future__ import annotations

import importlib

from xconv_bench.errors import UsageError, suggest
from xconv_bench.tasks.base import Image, Measure, Task, TaskOptions

TASKS = {
    "classification": "classification:Classification",
    "generation": "generation:Generation",
    "super-resolution": "restoration:SuperResolution",
    "inpainting": "restoration:Inpainting",
    "segmentation": "segmentation:Segmentation",
    "segmentation-3d": "segmentation:Segmentation3d",
}
"""Module and class by the name that ``--task`` takes."""

__all__ = ["TASKS", "Image", "Measure", "Task", "TaskOptions", "make_task", "task_class"]


def task_class(name: str) -> type[Task]:
    """The class of a task. Raises UsageError for a name that is none."""
    if name not in TASKS:
        raise UsageError(f"--task {name!r} is unknown: {suggest(name, TASKS)}")
    module, _, kind = TASKS[name].partition(":")
    found: type[Task] = getattr(importlib.import_module(f"{__name__}.{module}"), kind)
    return found


def make_task(name: str, options: TaskOptions) -> Task:
    """A task. Raises UsageError for options that it does not take."""
    return task_class(name)(options)
