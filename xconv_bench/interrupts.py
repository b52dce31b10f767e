"""Ctrl-C and SIGTERM: whatever is raised after one of them is an interrupt.

Python raises KeyboardInterrupt wherever it happens to be. Inside an import or a call into C that
may come out as any other exception, or be printed and forgotten.
"""

import signal
import sys
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_arrived: list[int] = []


def listen() -> None:
    """Raise KeyboardInterrupt on Ctrl-C and on SIGTERM; one that is ignored stays ignored."""
    _arrived.clear()
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def stop_listening() -> None:
    """Let both end the process at once: what is left of it could only complain."""
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def have_arrived() -> bool:
    """Return whether the command was interrupted, whatever has been raised since."""
    return bool(_arrived)


def check() -> None:
    """Raise KeyboardInterrupt where one has arrived: something may have caught it."""
    if _arrived:
        raise KeyboardInterrupt


def _interrupt(number: int, frame: FrameType | None) -> None:
    _arrived.append(number)
    # Exceptions that cannot be raised are printed, as those that C code cannot return.
    sys.excepthook = sys.unraisablehook = _print_nothing
    raise KeyboardInterrupt


def _print_nothing(*anything: object) -> None:
    pass
