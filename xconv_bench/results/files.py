"""Writing files so that a kill leaves the old one or the new one, and failing in one line."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xconv_bench.errors import BenchError

_REMEDIES = {
    errno.ENOSPC: "free some space and run again with the same {option}: what is there is kept",
    errno.EDQUOT: "free some space and run again with the same {option}: what is there is kept",
    errno.EACCES: "change its permissions or choose another {option}",
    errno.EPERM: "change its permissions or choose another {option}",
    errno.EROFS: "choose another {option}",
}


@contextmanager
def explained(
    path: Path, kind: type[BenchError] = BenchError, option: str = "--output"
) -> Iterator[None]:
    """Turn an OSError inside into a ``kind`` of one line that names ``path`` and a remedy.

    The ``option`` is the one that the user chose the path with.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        remedy = _REMEDIES.get(error.errno or 0, "move it away or choose another {option}")
        said = remedy.format(option=option)
        raise kind(f"{path} cannot be used: {reason}; {said}") from error


def write_whole(path: Path, content: bytes) -> None:
    """Put ``content`` in the place of the file at ``path``, all of it or nothing.

    Two processes must not do this to one path at the same time. Raises OSError.
    """
    temporary = path.with_name(f".{path.name}.new")
    with open(temporary, "wb", buffering=0) as file:
        append_durably(file.fileno(), content)
    os.replace(temporary, path)


def append_durably(descriptor: int, content: bytes) -> None:
    """Write ``content`` at once and wait until the disk has it. Raises OSError."""
    rest = content
    while rest:  # a second round only where the disk is nearly full: it says why
        rest = rest[os.write(descriptor, rest) :]
    os.fsync(descriptor)
