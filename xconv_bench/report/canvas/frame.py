"""Frame the panels of a picture: a title above, a legend and a note below."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

from xconv_bench.report.canvas import style
from xconv_bench.report.canvas.style import Look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

    from xconv_bench.report.canvas.picture import Picture

WIDTH_INCHES = 8.0
_LEFT = 0.012
_TITLE_CHARACTERS = 96
_TITLE_LINE_INCHES = 0.17
_NOTE_CHARACTERS = 136
_NOTE_LINE_INCHES = 0.13
_LEGEND_LINE_INCHES = 0.2
_LEGEND_CHARACTER_INCHES = 0.072
_LEGEND_HANDLE_INCHES = 0.65
_LABEL_CHARACTERS = 48
MOST_ABREAST = 3


def framed(
    title: str, heights: str, legend: Sequence[Look], notes: Sequence[str], panels: int,
    panel_inches: float, shares_heights: bool = True,
) -> tuple[Picture, list[Axes]]:  # fmt: skip
    """Return a picture and its ``panels``, of ``panel_inches`` height.

    All have the same y axis, unless ``shares_heights`` says otherwise; ``heights`` names what is
    drawn along it.
    """
    from xconv_bench.report.canvas.picture import Picture

    title, note = _wrapped(title), joined(notes)
    columns = _legend_columns(legend)
    abreast = min(panels, MOST_ABREAST)
    above = ceil(panels / abreast) * panel_inches + _lines(title) * _TITLE_LINE_INCHES
    legend_lines = ceil(len(legend) / columns) + 1
    below = legend_lines * _LEGEND_LINE_INCHES + _lines(note) * _NOTE_LINE_INCHES
    picture = Picture(figsize=(WIDTH_INCHES, above + below), layout="constrained")
    parts: Any = picture.subfigures(2, 1, height_ratios=[above, below])
    body, foot = parts
    body.suptitle(title, x=_LEFT, ha="left")
    handles = [_handle(look) for look in legend]
    foot.legend(handles=handles, loc="upper left", ncols=columns, borderaxespad=0.6)
    foot.text(_LEFT, 0.05, note, va="bottom", color=style.FAINT, fontsize=style.NOTE_SIZE)
    every = panels_in(body, panels, abreast, shares_heights)
    for leftmost in every[::abreast]:
        leftmost.set_ylabel(heights)
    return picture, every


def headed(title: str, note: str, inches: float) -> Picture:
    """Return a picture of ``inches`` height with a title and a note, and no legend."""
    from xconv_bench.report.canvas.picture import Picture

    picture = Picture(figsize=(WIDTH_INCHES, inches), layout="constrained")
    picture.suptitle(textwrap.fill(title, _TITLE_CHARACTERS), x=_LEFT, ha="left")
    if note:
        picture.supxlabel(note, x=_LEFT, ha="left", color=style.FAINT)
    return picture


def joined(notes: Sequence[str]) -> str:
    """Return notes in lines of the width of a picture."""
    return textwrap.fill("; ".join(notes), _NOTE_CHARACTERS)


def panels_in(parent: Any, panels: int, abreast: int, shares_heights: bool) -> list[Axes]:
    """Return the panels of a picture, or of a part of one, in lines of ``abreast``."""
    grid = parent.subplots(ceil(panels / abreast), abreast, sharey=shares_heights, squeeze=False)
    for unused in grid.flat[panels:]:
        unused.set_visible(False)
    return list(grid.flat[:panels])


def _wrapped(title: str) -> str:
    """Return the title in lines that end after a comma."""
    fixed = title.replace(" ", "\xa0").replace(",\xa0", ", ")
    return textwrap.fill(fixed, _TITLE_CHARACTERS).replace("\xa0", " ")


def _legend_columns(legend: Sequence[Look]) -> int:
    longest = max((len(_short(look.label)) for look in legend), default=1)
    inches = _LEGEND_HANDLE_INCHES + longest * _LEGEND_CHARACTER_INCHES
    return max(1, min(len(legend), int(WIDTH_INCHES / inches)))


def _handle(look: Look) -> Line2D:
    from matplotlib.lines import Line2D

    return Line2D([], [], label=_short(look.label), **look.told())


def _short(label: str) -> str:
    """Return the end of a long name: it is what tells a layer from others."""
    return label if len(label) <= _LABEL_CHARACTERS else f"…{label[1 - _LABEL_CHARACTERS :]}"


def _lines(text: str) -> int:
    return text.count("\n") + 1 if text else 0
