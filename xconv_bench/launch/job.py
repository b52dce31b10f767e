"""What a launcher is given to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from xconv_bench.configuration import Configuration

if TYPE_CHECKING:
    from xconv_bench.launch.outcome import Outcome
    from xconv_bench.launch.process import Launcher
    from xconv_bench.launch.worker import Work


@dataclass(frozen=True)
class Stage:
    """A part that is done, from 0 to 1, what is to be said of it, and a row that is complete."""

    fraction: float
    said: str = ""
    row: Mapping[str, Any] | None = None


Progress = Callable[[Any], None]
"""Told of a part that is done, from 0 to 1, or of a stage."""


def untold(done: float | Stage) -> None:
    """The progress that nobody watches."""


@dataclass(frozen=True)
class Job:
    """The measurement of ``cells``, which are on one device; one cell but where they take turns.

    ``measure`` is picklable: it may be called on another machine, with a launcher of that one.
    """

    cells: tuple[Configuration, ...]
    measure: Callable[[Launcher, Progress], Outcome]

    @classmethod
    def of(cls, task: Work, *cells: Configuration) -> Job:
        """The job that is one task."""
        return cls(cells, partial(_run, task))

    @property
    def device(self) -> str:
        """``simulated``, ``cpu``, ``cuda`` or ``cuda:N``."""
        return self.cells[0].device


class Watcher(Protocol):
    """Who is told how jobs get on."""

    def started(self, configuration: Configuration) -> None:
        """The measurement of this cell, and of others with it perhaps, begins."""

    def progressed(self, configuration: Configuration, done: float | Stage) -> None:
        """So much of it is done, from 0 to 1."""


def _run(task: Work, launcher: Launcher, on_progress: Progress) -> Outcome:
    return launcher.run(task, on_progress)
