"""A command in a process group of its own, which is ended as a whole at its deadline."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from benchmarks.gpu.command import Command
from benchmarks.gpu.settings import ROOT

CUT_OFF = "cut off"
GRACE_SECONDS = 10.0
"""Seconds that a command has to write its results after it is asked to end."""
_TICK_SECONDS = 5.0


def run(command: Command, log: Path, deadline: float, tick: Callable[[], object]) -> str:
    """Run a command with all output in ``log``, and return how it ended, empty if all was well.

    ``deadline`` is a moment of ``time.monotonic``; ``tick`` is called now and then.
    """
    with log.open("a") as file:
        print(f"$ {command}", file=file, flush=True)
        process = subprocess.Popen(
            [sys.executable, *command.words], cwd=ROOT, env=_environment(command),
            stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        try:
            while process.poll() is None:
                left = deadline - time.monotonic()
                if left <= 0:
                    return CUT_OFF
                with suppress(subprocess.TimeoutExpired):
                    process.wait(min(_TICK_SECONDS, left))
                tick()
        finally:
            _end(process)
    return "" if process.returncode == 0 else f"ended with exit code {process.returncode}"


def _environment(command: Command) -> dict[str, str]:
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **command.environment}


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the group to end, then end whatever is left of it."""
    if process.poll() is None:
        process.terminate()  # not its workers, which would leave rows that say they died
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
