"""Errors that a user can act on: one line each, with the exit code that the command ends with."""


class BenchError(Exception):
    """A measurement could not be made or a file could not be used."""

    exit_code = 1


class UsageError(BenchError):
    """The command was called with something that it does not take."""

    exit_code = 2


class Unsupported(BenchError):
    """A method cannot be applied to this model: a row with ``status=unsupported``, not a crash."""
