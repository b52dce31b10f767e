"""Paths that a user gave: is a file there, a folder or nothing; or a line why nobody can tell."""

import stat
from pathlib import Path

from xconv_bench.errors import UsageError


def is_file(path: Path) -> bool:
    """Return whether a file is there. Raises UsageError where the path cannot be looked at."""
    return stat.S_ISREG(_mode(path))


def is_folder(path: Path) -> bool:
    """Return whether a folder is there. Raises UsageError where the path cannot be looked at."""
    return stat.S_ISDIR(_mode(path))


def is_there(path: Path) -> bool:
    """Return whether anything is there. Raises UsageError where the path cannot be looked at."""
    return _mode(path) != 0


def _mode(path: Path) -> int:
    """Return the mode of what is there, 0 for nothing."""
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except OSError as error:  # a closed folder, links in a circle, a name that no file can have
        raise UsageError(f"{path} cannot be read: {error.strerror}; give another path") from error
    except ValueError as error:  # a zero byte in a name
        raise UsageError(f"{str(path)!r} cannot be the name of a file") from error
