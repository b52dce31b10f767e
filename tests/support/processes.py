"""Processes looked at from outside: whether they live, and waiting for what they do."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE_SECONDS = 240
"""How long to wait for what happens at once on any machine that is not overloaded."""


def listen_to_interrupts() -> None:
    """Undo in a child, before it begins, that this process was told to ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def catches(pid: int, number: signal.Signals) -> bool:
    """Return whether a process has a handler for a signal, or is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True
    (caught,) = (line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:"))
    return not is_alive(pid) or bool(int(caught, 16) >> (number - 1) & 1)


def is_alive(pid: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


def living_in_session(session: int) -> list[int]:
    """Return the processes of a session that still run."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and _session(int(folder.name)) == session:
            found.append(int(folder.name))
    return [pid for pid in found if is_alive(pid)]


def wait_until(condition: Callable[[], object]) -> bool:
    """Wait for the condition as long as patience lasts; return whether it came true."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None
