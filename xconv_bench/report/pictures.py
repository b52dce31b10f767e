"""A picture is drawn and kept in the same way everywhere: one look, PNG beside SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xconv_bench.report import style
from xconv_bench.results.files import explained

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Picture

# Without these entries a file says when and with which version it was drawn.
_METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
}

_FORMATS: ContextVar[Sequence[str]] = ContextVar("formats", default=("png", "svg"))


@contextmanager
def kept_as(*formats: str) -> Iterator[None]:
    """Within, ``save`` writes these formats, of png, svg and pdf, instead of PNG and SVG."""
    token = _FORMATS.set(formats)
    try:
        yield
    finally:
        _FORMATS.reset(token)


_CAUGHT: ContextVar[dict[str, Picture] | None] = ContextVar("caught", default=None)


@contextmanager
def caught() -> Iterator[dict[str, Picture]]:
    """Give the pictures that ``save`` is given within, by their names, instead of writing them."""
    found: dict[str, Picture] = {}
    token = _CAUGHT.set(found)
    try:
        yield found
    finally:
        _CAUGHT.reset(token)


@contextmanager
def fixed_settings() -> Iterator[None]:
    """Draw and save within: pictures look the same whatever the user's settings, which stay."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(style.SETTINGS)
        yield


def save(picture: Picture, folder: Path, name: str) -> list[Path]:
    """Write ``name.png`` and ``name.svg`` in ``folder``, made if need be, and return their paths.

    The same picture is the same files. Raises BenchError where a file cannot be written.
    """
    found = _CAUGHT.get()
    if found is not None:
        found[name] = picture
        return []
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for kind in _FORMATS.get():
        path = folder / f"{name}.{kind}"
        with explained(path):
            picture.savefig(path, dpi=style.DOTS_PER_INCH, metadata=_METADATA[kind])
        paths.append(path)
    return paths
