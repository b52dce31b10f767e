"""Examples and functions of the API that documentation cannot read as they stand in the source."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import griffe

import xconv_bench

_EXAMPLE = re.compile(r"^>>> .*?(?=\n\s*\n|\Z)", re.MULTILINE | re.DOTALL)


class Interface(griffe.Extension):
    """Examples as code, and the functions of ``xconv_bench``, which are made from the commands."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Make the examples of a docstring code, for Markdown."""
        if obj.docstring is not None:
            obj.docstring.value = _EXAMPLE.sub(r"```pycon\n\g<0>\n```", obj.docstring.value)

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Add the functions that importing the package finds and its source does not show."""
        if pkg.path == xconv_bench.__name__ and pkg.docstring is not None:
            found = griffe.inspect(
                pkg.path,
                filepath=Path(xconv_bench.__file__),
                docstring_parser=pkg.docstring.parser,
                docstring_options=pkg.docstring.parser_options,
            )
            for name in pkg.exports or ():
                pkg.set_member(str(name), found[str(name)])
