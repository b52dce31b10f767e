"""Frame the panels of a picture: a title above, a legend and a note below."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING, Any

from xconv_bench.report.canvas import style
from xconv_bench.report.canvas.style import Stroke

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture
    from matplotlib.lines import Line2D

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
_MOST_PANELS_ABREAST = 3


@dataclass(frozen=True)
class Look:
    """Show a line by its stroke, and name it in the legend.

    ``line`` holds what matplotlib is told besides, such as a width.
    """

    label: str
    stroke: Stroke
    line: Mapping[str, Any] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        """Return the arguments of matplotlib's functions that draw the line."""
        stroke = self.stroke
        look = {"color": stroke.colour, "marker": stroke.marker, "linestyle": stroke.dashes}
        return {**look, **self.line}


def framed(
    title: str, legend: Sequence[Look], notes: Sequence[str], panels: int, panel_inches: float,
    shares_heights: bool = True,
) -> tuple[Picture, Sequence[Sequence[Axes]]]:  # fmt: skip
    """Return a picture and its lines of ``panels``, of ``panel_inches`` height.

    All have the same y axis, unless ``shares_heights`` says otherwise; ``notes`` are joined to the
    note below.
    """
    from matplotlib.figure import Figure as Picture

    title = _wrapped(title)
    note = joined(notes)
    columns = _legend_columns(legend)
    abreast = min(panels, _MOST_PANELS_ABREAST)
    lines = ceil(panels / abreast)
    above = lines * panel_inches + _lines(title) * _TITLE_LINE_INCHES
    below = (
        ceil(len(legend) / columns) * _LEGEND_LINE_INCHES
        + _lines(note) * _NOTE_LINE_INCHES
        + _LEGEND_LINE_INCHES
    )
    picture = Picture(figsize=(WIDTH_INCHES, above + below), layout="constrained")
    parts: Any = picture.subfigures(2, 1, height_ratios=[above, below])
    body, foot = parts
    body.suptitle(title, x=_LEFT, ha="left")
    foot.legend(
        handles=[_handle(look) for look in legend],
        loc="upper left",
        ncols=columns,
        borderaxespad=0.6,
    )
    foot.text(_LEFT, 0.05, note, va="bottom", color=style.FAINT, fontsize=style.NOTE_SIZE)
    grid = body.subplots(lines, abreast, sharey=shares_heights, squeeze=False)
    return picture, _used(grid, panels)


def headed(title: str, note: str, inches: float) -> Picture:
    """Return a picture of ``inches`` height with a title and a note, and no legend."""
    from matplotlib.figure import Figure as Picture

    picture = Picture(figsize=(WIDTH_INCHES, inches), layout="constrained")
    picture.suptitle(textwrap.fill(title, _TITLE_CHARACTERS), x=_LEFT, ha="left")
    if note:
        picture.supxlabel(note, x=_LEFT, ha="left", color=style.FAINT)
    return picture


def joined(notes: Sequence[str]) -> str:
    """Return notes in lines of the width of a picture."""
    return textwrap.fill("; ".join(notes), _NOTE_CHARACTERS)


def _used(grid: Any, panels: int) -> Sequence[Sequence[Axes]]:
    """Return the lines of a grid without the panels that are too many, which are hidden."""
    for unused in grid.flat[panels:]:
        unused.set_visible(False)
    return [[axes for axes in line if axes.get_visible()] for line in grid]


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
