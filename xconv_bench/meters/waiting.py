"""The time that threads of this process waited for a core: what other work takes from a time."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

_TASKS = Path("/proc/self/task")
BUSY = 0.1
"""Threads that wait longer, as a part of the time, are worth a word."""

REMARK = (
    "the machine was busy, so times are too long (cpu_wait_part): end other work, or set "
    "OMP_NUM_THREADS to the cores that are free"
)
"""The same for all rows, so that it is said once for all of them."""

Nanoseconds = dict[str, int]
"""The time that each thread has waited while it could have run."""


class CoreWait:
    """The part of the time that threads waited for a core, from its making on.

    The system counts it, thread by thread, so that the figure holds for short times, too. It is 0
    where every thread has a core of its own, and 1/2 where two share each.
    """

    def __init__(self) -> None:
        self._waits = _read_waits()
        self._ran_seconds = time.process_time()

    def part(self) -> float | None:
        """Return waiting / (waiting + running); None where the system does not say."""
        # Not what the system says beside the waits: of a thread that runs it is from its last tick.
        ran = time.process_time() - self._ran_seconds
        waits = _read_waits()
        waited = sum(wait - self._waits.get(thread, 0) for thread, wait in waits.items()) / 1e9
        return waited / (ran + waited) if waits and ran + waited > 0 else None

    def reading(self) -> dict[str, Any]:
        """Return ``cpu_wait_part``, where it is known, and a message where it is long."""
        part = self.part()
        return {} if part is None else {"cpu_wait_part": part, "message": remark_on(part)}


def remark_on(part: float | None) -> str:
    """Return what is to be said of such a wait; nothing where it is short."""
    return REMARK if part is not None and part > BUSY else ""


def _read_waits() -> Nanoseconds:
    waits: Nanoseconds = {}
    with suppress(OSError):  # not Linux, or a kernel that does not count
        for thread in os.listdir(_TASKS):
            with suppress(OSError, ValueError, IndexError):  # it may have ended
                waits[thread] = int((_TASKS / thread / "schedstat").read_text().split()[1])
    return waits
