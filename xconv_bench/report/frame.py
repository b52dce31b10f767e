"""What stands around the panels of a picture: a title above, a legend and a note below."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

from xconv_bench.report import style
from xconv_bench.report.style import Stroke

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture
    from matplotlib.lines import Line2D

_WIDTH_INCHES = 8.0
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
class Entry:
    """A line of the legend: ``line`` is what it has beside its stroke, such as a width."""

    label: str
    stroke: Stroke
    line: dict[str, Any]


def framed(
    title: str,
    heights: str,
    entries: Sequence[Entry],
    notes: Sequence[str],
    panels: int,
    panel_inches: float,
    shares_heights: bool = True,
) -> tuple[Picture, list[Axes]]:
    """A picture and its ``panels``, of ``panel_inches`` height.

    All have the same y axis, unless ``shares_heights`` says otherwise. ``heights`` names what is
    drawn along it; ``notes`` are joined to the note below.
    """
    from matplotlib.figure import Figure as Picture

    title = _wrapped(title)
    note = textwrap.fill("; ".join(notes), _NOTE_CHARACTERS)
    columns = _legend_columns(entries)
    abreast = min(panels, _MOST_PANELS_ABREAST)
    lines = ceil(panels / abreast)
    above = lines * panel_inches + _lines(title) * _TITLE_LINE_INCHES
    below = (
        ceil(len(entries) / columns) * _LEGEND_LINE_INCHES
        + _lines(note) * _NOTE_LINE_INCHES
        + _LEGEND_LINE_INCHES
    )
    picture = Picture(figsize=(_WIDTH_INCHES, above + below), layout="constrained")
    parts: Any = picture.subfigures(2, 1, height_ratios=[above, below])
    body, foot = parts
    body.suptitle(title, x=_LEFT, ha="left")
    foot.legend(
        handles=[_handle(entry) for entry in entries],
        loc="upper left",
        ncols=columns,
        borderaxespad=0.6,
    )
    foot.text(_LEFT, 0.05, note, va="bottom", color=style.FAINT, fontsize=style.NOTE_SIZE)
    grid = body.subplots(lines, abreast, sharey=shares_heights, squeeze=False)
    for leftmost in grid[:, 0]:
        leftmost.set_ylabel(heights)
    for unused in grid.flat[panels:]:
        unused.set_visible(False)
    return picture, list(grid.flat[:panels])


def _wrapped(title: str) -> str:
    """In lines that end after a comma."""
    fixed = title.replace(" ", "\xa0").replace(",\xa0", ", ")
    return textwrap.fill(fixed, _TITLE_CHARACTERS).replace("\xa0", " ")


def _legend_columns(entries: Sequence[Entry]) -> int:
    longest = max((len(_short(entry.label)) for entry in entries), default=1)
    inches = _LEGEND_HANDLE_INCHES + longest * _LEGEND_CHARACTER_INCHES
    return max(1, min(len(entries), int(_WIDTH_INCHES / inches)))


def _handle(entry: Entry) -> Line2D:
    from matplotlib.lines import Line2D

    look = {
        "color": entry.stroke.colour,
        "marker": entry.stroke.marker,
        "linestyle": entry.stroke.dashes,
        **entry.line,
    }
    return Line2D([], [], label=_short(entry.label), **look)


def _short(label: str) -> str:
    """The end of a long name of a layer is what tells it from others."""
    return label if len(label) <= _LABEL_CHARACTERS else f"…{label[1 - _LABEL_CHARACTERS :]}"


def _lines(text: str) -> int:
    return text.count("\n") + 1 if text else 0
