"""Pages that describe what the packages offer, whose words and signatures are read from the code.

MkDocs calls ``on_files``; mkdocstrings reads the lines that begin with ``:::``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

import xconv
import xconv_bench
from xconv.conversion import FAMILIES
from xconv.schemes import SCHEMES


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    for name, text in _pages().items():
        files.append(File.generated(config, f"api/{name}.md", content=text))
    return files


def _pages() -> dict[str, str]:
    """Return the text of each page by its name."""
    names = sorted(xconv.__all__, key=lambda name: isinstance(getattr(xconv, name), type))
    names.remove("functional")
    schemes = [
        _directive(type(scheme).__module__, heading=name, toc_label=name, members=False)
        for name, scheme in SCHEMES.items()
    ]
    callback = {
        "heading": "XConv",
        "toc_label": "XConv",
        "members": ["account", "peak_bytes", "kept_bytes"],
    }
    return {
        "xconv": _page("xconv", _package("xconv", names), _directive("xconv.functional")),
        "modules": _page(
            "Modules",
            "Beside [convolutions and `BitReLU`](xconv.md#xconv.BitReLU), `xconv.convert` swaps in "
            "these classes, for the families that `compress=` names.",
            *(_family(family, swapped.values()) for family, swapped in FAMILIES.items()),
        ),
        "schemes": _page("Schemes", "`scheme=` names one of these estimators.", *schemes),
        "trainers": _page(
            "Trainers",
            "`from xconv.integrations.lightning import XConv` needs Lightning.",
            _directive("xconv.integrations.lightning.Converting", **callback),
        ),
        "xconv_bench": _page("xconv_bench", _package("xconv_bench", xconv_bench.__all__)),
    }


def _family(name: str, classes: Iterable[type]) -> str:
    """Return the classes of a family that are not among the public names of the package."""
    own = [each for each in classes if each.__name__ not in xconv.__all__]
    options = {"heading_level": 3, "members": False, "show_root_full_path": False}
    said = [_directive(f"{each.__module__}.{each.__name__}", **options) for each in own]
    return "\n\n".join([f"## {name}", *said]) if own else ""


def _page(title: str, *parts: str) -> str:
    return "\n\n".join([f"# {title}", *parts])


def _package(name: str, members: Sequence[str]) -> str:
    options = {"show_root_heading": False, "show_root_toc_entry": False}
    return _directive(name, **options, members=list(members))


def _directive(name: str, **options: Any) -> str:
    return f"::: {name}\n    options: {json.dumps(options)}"
