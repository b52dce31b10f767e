"""Peak resident set of this process while a block runs."""

from __future__ import annotations

import sys
from pathlib import Path
from types import TracebackType

CLEAR_REFS = Path("/proc/self/clear_refs")
STATUS = Path("/proc/self/status")

# The value that makes the kernel lower the high-water mark to what is resident now: proc(5).
RESET_HIGH_WATER_MARK = "5"


class RssMeter:
    """Read the largest resident set that this process had in a block, in bytes.

    It is the whole process: the interpreter, the libraries and what was allocated before the
    block are in it. Where the kernel's high-water mark cannot be reset (not Linux, or a sandbox
    that forbids it), the peak is the one since the process started, and ``message`` says so.

    >>> with RssMeter() as meter:
    ...     _ = bytes(1000)
    >>> sorted(meter.reading)
    ['rss_peak_bytes']
    """

    def __init__(self) -> None:
        self.reading: dict[str, int | None] = {"rss_peak_bytes": None}
        self.message = ""

    def __enter__(self) -> RssMeter:
        try:
            CLEAR_REFS.write_text(RESET_HIGH_WATER_MARK)
        except OSError as error:
            self._fall_back(error)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self.message:
            try:
                self.reading["rss_peak_bytes"] = _high_water_mark_bytes()
                return
            except (OSError, ValueError) as unreadable:
                self._fall_back(unreadable)
        self.reading["rss_peak_bytes"] = _lifetime_peak_bytes()

    def _fall_back(self, error: Exception) -> None:
        reason = getattr(error, "strerror", None) or error
        self.message = f"rss: the peak is since the process started ({reason})"


def _high_water_mark_bytes() -> int:
    """Return the peak resident set since the last reset; ValueError where it is not listed."""
    for line in STATUS.read_text().splitlines():
        if line.startswith("VmHWM:"):
            kibibytes = line.split()[1]
            return int(kibibytes) * 1024
    raise ValueError("no VmHWM in the process status")


def _lifetime_peak_bytes() -> int | None:
    """Return the peak resident set since the process started; None where no one counts it."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # getrusage(2) counts kibibytes on Linux and the BSDs, bytes on macOS.
    return peak if sys.platform == "darwin" else peak * 1024
