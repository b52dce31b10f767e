"""A picture is drawn and kept in the same way everywhere: one look, PNG beside SVG."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from xconv_bench.report import style
from xconv_bench.results.files import explained

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Picture


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
    png, svg = folder / f"{name}.png", folder / f"{name}.svg"
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with explained(png):
        picture.savefig(png, dpi=style.DOTS_PER_INCH, metadata={"Software": None})
    with explained(svg):
        picture.savefig(svg, metadata={"Date": None})
    return [png, svg]
