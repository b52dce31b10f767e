"""Jobs that a launcher is given to do, and who hears of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from xconv_bench.configuration import SIMULATED, Configuration
from xconv_bench.events import Progress, Rows, Work
from xconv_bench.launch.outcome import Outcome

Listener = Callable[[Progress | Rows], None]
"""Hears of progress and of rows while a piece of work runs."""


def unheard(event: Progress | Rows) -> None:
    """Let an event pass: nobody listens."""


class Runner(Protocol):
    """Runs pieces of work, each in a process of its own: the half of a launcher that a job sees."""

    def run(
        self,
        work: Work,
        listener: Listener = unheard,
        device: str = SIMULATED,
        timeout_seconds: float | None = None,
    ) -> Outcome:
        """Run a piece of work and return what came of it, as ``Launcher.run`` does."""


@dataclass(frozen=True)
class Job:
    """The measurement of ``cells``, which are on one device; one cell but where they take turns.

    ``measure`` is picklable: it may be called on another machine, with a launcher of that one.
    """

    cells: tuple[Configuration, ...]
    measure: Callable[[Runner, Listener], Outcome]

    @classmethod
    def of(cls, work: Work, *cells: Configuration) -> Job:
        """Return the job that is one piece of work."""
        return cls(cells, partial(_run, work))

    @property
    def device(self) -> str:
        """Return ``simulated``, ``cpu``, ``cuda`` or ``cuda:N``."""
        return self.cells[0].device


class JobWatcher(Protocol):
    """Watches jobs on behalf of an experiment."""

    def started(self, configuration: Configuration) -> None:
        """Hear that the measurement of this cell, perhaps with others, begins."""

    def heard(self, configuration: Configuration, event: Progress | Rows) -> None:
        """Hear what the measurement of this cell tells."""


def _run(work: Work, runner: Runner, listener: Listener) -> Outcome:
    return runner.run(work, listener)
