"""A measurement in a process of its own, forked from a server that has imported torch already.

Peaks, caches, CUDA contexts and sticky CUDA errors of one measurement cannot touch the next, and
whatever becomes of the process becomes a row.
"""

import multiprocessing
import signal
import sys
import threading
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import Any

from xconv_bench.configuration import SIMULATED
from xconv_bench.errors import UsageError
from xconv_bench.events import Progress, Rows, Work
from xconv_bench.launch.job import Job, JobWatcher, Listener, unheard
from xconv_bench.launch.outcome import Outcome
from xconv_bench.launch.worker import End, run_worker

Results = Generator[tuple[Job, Outcome], None, None]
"""Jobs with their outcomes; closing it ends the jobs that run."""

_LONGEST_WAIT_SECONDS = 2_000_000
"""The system counts milliseconds in 32 bits, and nobody waits for three weeks."""

_children = threading.Lock()
"""Around all that looks at the list of child processes, which is one for all threads."""


class Launcher:
    """Runs one piece of work at a time, and ends what takes longer than ``timeout_seconds``.

    ``environment`` is what its processes have beside this one's.
    """

    def __init__(
        self, timeout_seconds: float, environment: Mapping[str, str] | None = None
    ) -> None:
        self._timeout_seconds = timeout_seconds
        self._environment = dict(environment or {})
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["xconv_bench.launch.preload"])

    def run(
        self,
        work: Work,
        listener: Listener = unheard,
        device: str = SIMULATED,
        timeout_seconds: float | None = None,
    ) -> Outcome:
        """Return what the work yielded and how it ended. Raises UsageError where the work did.

        ``listener`` hears of progress and of rows at once. ``device`` is what the work needs, for
        a launcher that has to find a machine. ``timeout_seconds`` may shorten the launcher's.
        """
        seconds = min(self._timeout_seconds, timeout_seconds or self._timeout_seconds)
        _start_server()
        process, pipe = self._start(work)
        try:
            return self._collect(process, pipe, listener, seconds)
        finally:
            process.kill()
            with _children:
                process.join()
            pipe.close()

    def each(self, jobs: Iterable[Job], watcher: JobWatcher) -> Results:
        """Yield the jobs with their outcomes, each as soon as it is done: one after another."""
        for job in jobs:
            watcher.started(job.cells[0])
            yield job, job.measure(self, partial(watcher.heard, job.cells[0]))

    def machines(self) -> list[dict[str, Any]]:
        """Return other machines that measured something, as ``environment.json`` has them."""
        return []

    def _start(self, work: Work) -> tuple[BaseProcess, Connection]:
        """Start a process that does ``work``; return it with the pipe that it is heard through."""
        # One that got half of its work would complain of that, with a traceback.
        with _children, _interrupted_afterwards(), _without_main(work):
            ours, theirs = self._context.Pipe()
            process = self._context.Process(
                target=run_worker, args=(work, theirs, self._environment), daemon=True
            )
            process.start()
            theirs.close()
        return process, ours

    def _collect(
        self, process: BaseProcess, pipe: Connection, listener: Listener, seconds: float
    ) -> Outcome:
        outcome = Outcome()
        deadline = time.monotonic() + min(seconds, _LONGEST_WAIT_SECONDS)
        # The pipe alone does not tell of a death: a process that the network started may hold it.
        while ready := wait([pipe, process.sentinel], max(0.0, deadline - time.monotonic())):
            received = _receive(pipe) if pipe in ready else None
            if received is None:
                wait([process.sentinel])  # soon: without its pipe a worker ends itself
                with _children:
                    process.join()
                return outcome.end(*_explain_death(process.exitcode))
            if isinstance(received, End):
                if received.status == "usage":
                    raise UsageError(received.message)
                return outcome.end(received.status, received.message)
            if isinstance(received, Progress | Rows):
                listener(received)
            outcome.add(received)
        option = " (--timeout)" if seconds == self._timeout_seconds else ""
        return outcome.end("timeout", f"given up after {seconds:g} s{option}")


def _start_server() -> None:
    """Start the fork server where there is none; Ctrl-C never reaches it or what it forks.

    Ctrl-C goes to all processes of a terminal, and is the parent's business alone: it ends what it
    wants ended. A signal that is blocked from birth leaves no moment for a traceback, and what
    arrives here meanwhile is not lost.
    """
    resource_tracker.ensure_running()  # it would start in there otherwise, and unblock the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _interrupted_afterwards() -> Iterator[None]:
    """Let SIGINT and SIGTERM wait until what is inside is done.

    A blocked signal would not do: another thread takes it, and Python handles it in this one.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are never handled here
        return
    arrived: list[int] = []
    handlers = {
        number: signal.signal(number, lambda number, _: arrived.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in handlers.items():
            # None stands for a handler that was not installed from Python.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        for late in arrived:
            signal.raise_signal(late)


@contextmanager
def _without_main(work: Work) -> Iterator[None]:
    """Let a process start without running the caller's script first, unless the work is of it.

    A script that measures, with nothing around it that asks for its name, would measure there too.
    """
    main = sys.modules["__main__"]
    if type(work).__module__ == "__main__":
        yield
        return
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _receive(pipe: Connection) -> Any:
    """Return what was sent; None where the other end is gone, perhaps in the middle of a word."""
    try:
        return pipe.recv()
    except (EOFError, OSError):
        return None


def _explain_death(code: int | None) -> tuple[str, str]:
    if code == -signal.SIGKILL:
        return "oom", "the process was killed by the system, most likely out of memory"
    if code is not None and code < 0:
        return "error", f"the process died of {_signal_name(-code)}"
    return "error", f"the process ended by itself with exit code {code}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most real-time signals have no name
        return f"signal {number}"
