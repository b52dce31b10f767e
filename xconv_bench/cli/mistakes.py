"""Recognize errors of the parser of the command line, and put them into words."""

from typing import Any

import typer
from typer.core import TyperCommand

from xconv_bench.errors import UsageError
from xconv_bench.methods import METHODS

# Its place differs between versions of typer; its relation does not.
PARSER_ERROR: type[Exception] = typer.BadParameter.__bases__[0]

_OF_A_PARSER = "Value error, "
"""Words that newer versions of typer put before what is wrong with a value."""


class Measuring(TyperCommand):
    """A command whose words all belong to options, such as ``memory --model resnet50``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse as any command does. Raises UsageError for a word that stands alone."""
        try:
            return super().parse_args(ctx, [*args])
        except PARSER_ERROR:
            # It may complain of an option that is missing where the word stands in its place.
            _, alone, _ = self.make_parser(ctx).parse_args(args=[*args])
            word = str(alone[0]) if alone else ""
            option = "--method" if word in METHODS else "--model"
            if not word[:1].isalpha() or all(option not in each.opts for each in self.params):
                raise
        raise UsageError(f"{self.name} {word}: did you mean {option} {word}?")


def words_of(error: Exception) -> str:
    """Return the message of an error in one line."""
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    return " ".join(message.replace(_OF_A_PARSER, "").split())
