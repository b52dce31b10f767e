"""Draw described pictures: a file a kind, one look for all, kept as PNG and SVG."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from xconv_bench.report.canvas import style
from xconv_bench.results.files import explained

if TYPE_CHECKING:
    from xconv_bench.report.canvas.picture import Picture

# Without these entries a file says when and with which version it was drawn.
_METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
}

_FORMATS: ContextVar[Sequence[str]] = ContextVar("formats", default=("png", "svg"))


class Drawn(Protocol):
    """Describe a picture of any kind."""

    def draw(self) -> Picture: ...


@contextmanager
def kept_as(*formats: str) -> Iterator[None]:
    """Keep pictures as these formats within, of png, svg and pdf, instead of PNG and SVG."""
    token = _FORMATS.set(formats)
    try:
        yield
    finally:
        _FORMATS.reset(token)


def drawn(
    pictures: Iterable[tuple[str, Drawn | None]],
) -> Generator[tuple[str, Picture], None, None]:
    """Yield each picture with its name; the user's settings of matplotlib are put back at the end.

    Whatever is made of a picture before the next is asked for is made with our settings, too.
    """
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(style.SETTINGS)
        for name, described in pictures:
            if described is not None:
                yield name, described.draw()


def draw(pictures: Iterable[tuple[str, Drawn | None]], folder: Path) -> list[Path]:
    """Write each picture as ``name.png`` and ``name.svg`` in ``folder`` and return the paths.

    The same picture is the same files, the user's settings of matplotlib stay as they were, and
    the folder is made where there is a picture. Raises BenchError where a file cannot be written.
    """
    with closing(drawn(pictures)) as found:
        return [path for name, picture in found for path in _save(picture, folder, name)]


def _save(picture: Picture, folder: Path, name: str) -> list[Path]:
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for kind in _FORMATS.get():
        path = folder / f"{name}.{kind}"
        with explained(path):
            picture.savefig(path, dpi=style.DOTS_PER_INCH, metadata=_METADATA[kind])
        paths.append(path)
    return paths
