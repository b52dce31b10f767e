"""Tasks to train on, one file a family. A new task is one class and one line here."""

from __future__ import annotations

from pkgutil import resolve_name

from xconv_bench.errors import UsageError, suggest
from xconv_bench.tasks.base import Image, Measure, Task, TaskOptions

TASKS = {
    "classification": "xconv_bench.tasks.classification:Classification",
    "generation": "xconv_bench.tasks.generation:Generation",
    "super-resolution": "xconv_bench.tasks.restoration:SuperResolution",
    "inpainting": "xconv_bench.tasks.restoration:Inpainting",
    "segmentation": "xconv_bench.tasks.segmentation:Segmentation",
    "segmentation-3d": "xconv_bench.tasks.segmentation:Segmentation3d",
}
"""The module and the class of each task, by the name that ``--task`` takes."""

__all__ = ["TASKS", "Image", "Measure", "Task", "TaskOptions", "make_task", "task_class"]


def task_class(name: str) -> type[Task]:
    """Return the class of a task. Raises UsageError for a name that is none."""
    if name not in TASKS:
        raise UsageError(f"--task {name!r} is unknown: {suggest(name, TASKS)}")
    found: type[Task] = resolve_name(TASKS[name])
    return found


def make_task(name: str, options: TaskOptions) -> Task:
    """Make a task. Raises UsageError for options that it does not take."""
    return task_class(name)(options)
