"""Recognize errors of the parser of the command line, and put them into words."""

import typer

# Its place differs between versions of typer; its relation does not.
PARSER_ERROR: type[Exception] = typer.BadParameter.__bases__[0]


def words_of(error: Exception) -> str:
    """Return the message of an error in one line."""
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    return " ".join(message.split())
