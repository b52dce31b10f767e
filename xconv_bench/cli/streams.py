"""Print to standard output and standard error, even closed, full or limited to ASCII."""

import codecs
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from xconv_bench.errors import BenchError
from xconv_bench.plain_text import visible

_SPELLINGS = {
    "±": "+-", "×": "x", "…": "...", "µ": "u", "√": "sqrt", "‖": "|", "²": "^2", "³": "^3",
    "ĝ": "g", "é": "e", "·": "*", "–": "-", "≤": "<=", "≥": ">=", "•": "*", "∞": "inf",
}  # fmt: skip
"""ASCII spellings of the other characters that we print."""


def say(text: str = "") -> None:
    """Print a line of results on standard output."""
    print(visible(text))


def tell(text: str) -> None:
    """Print a line about the work on standard error, and go on where it cannot be written."""
    with suppress(OSError):
        print(visible(text), file=sys.stderr, flush=True)


@contextmanager
def usable_streams() -> Iterator[None]:
    """Make the standard streams take any text, for the length of a ``with`` block.

    Text for a closed stream is dropped. Raises BenchError, one line, where standard output cannot
    be written. If its reader is gone, the process ends as other programs do.
    """
    _open_closed()
    codecs.register_error("xconv_bench", _spell)
    output = _watch_output()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="xconv_bench")
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        failure = None if output is None else output.failure
        if failure is None:
            raise
        if isinstance(failure, BrokenPipeError):  # the reader has seen enough
            raise SystemExit(1) from error
        raise BenchError(
            f"standard output cannot be written: {failure.strerror}; what was measured is kept: "
            "xconv-bench report shows it"
        ) from error
    finally:
        _forget_unwritten(sys.stdout)
        _forget_unwritten(sys.stderr)


class _Output(io.FileIO):
    """Standard output that remembers why it could not be written."""

    failure: OSError | None = None

    def write(self, data: Any) -> Any:
        try:
            return super().write(data)
        except OSError as error:
            self.failure = error
            raise


def _watch_output() -> _Output | None:
    """Replace standard output by one that remembers, unless a test has replaced it before."""
    old = sys.stdout
    if old is not sys.__stdout__ or not isinstance(old, io.TextIOWrapper):
        return None
    old.flush()
    output = _Output(old.fileno(), "wb", closefd=False)
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(output), old.encoding, line_buffering=old.line_buffering,
        write_through=old.write_through,
    )  # fmt: skip
    return output


def _open_closed() -> None:
    """Open closed streams: the next opened file would get their number, and all prints."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
            os.set_inheritable(opened, True)
        if getattr(sys, name) is None:
            mode = "w" if number else "r"
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115 it stays open


def _forget_unwritten(stream: TextIO) -> None:
    """Drop what cannot be written: Python would try again at exit, and complain."""
    try:
        stream.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _spell(error: UnicodeError) -> tuple[str, int]:
    """Write characters that an encoding lacks in ASCII; a handler for ``codecs``."""
    assert isinstance(error, UnicodeEncodeError)
    lacking = error.object[error.start : error.end]
    spelt = (_SPELLINGS.get(c) or c.encode("ascii", "backslashreplace").decode() for c in lacking)
    return "".join(spelt), error.end
