"""Errors that a user can act on: one line each, with the exit code that the command ends with."""

import difflib
from collections.abc import Iterable


class BenchError(Exception):
    """A measurement could not be made or a file could not be used."""

    exit_code = 1


class UsageError(BenchError):
    """The command was called with something that it does not take."""

    exit_code = 2


class NothingFits(BenchError, MemoryError):
    """Not even the smallest batch fits: a row with ``status=oom``."""


class Unsupported(BenchError):
    """A method cannot be applied to this model: a row with ``status=unsupported``, not a crash."""


class Diverged(BenchError):
    """Training came to a loss that is not finite: a row with ``status=diverged``."""


def suggest(name: str, known: Iterable[str]) -> str:
    """Return ``did you mean 'probes'?``, or the choice where no name is near.

    >>> suggest("probe", ["probes", "scheme"]), suggest("x", ["probes", "scheme"])
    ("did you mean 'probes'?", 'choose from probes, scheme')
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(names)}"
