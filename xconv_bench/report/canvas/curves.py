"""Draw panels with the same two axes: curves, bands, levels, coloured fields, words."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from xconv_bench.report.canvas import style
from xconv_bench.report.canvas.axes import Axis
from xconv_bench.report.canvas.frame import MOST_ABREAST, framed
from xconv_bench.report.canvas.style import Look

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from xconv_bench.report.canvas.picture import Picture

_TITLE_CHARACTERS = 84
"""Characters that the titles of panels side by side have room for together."""
_WORD_SHARE, _LINE_SHARE = 0.06, 0.04
"""Shares of the width and the height of a panel across the page that a word takes."""
_PAPER = {"boxstyle": "square,pad=0.05", "facecolor": "white", "edgecolor": "none", "alpha": 0.75}
"""Ground of words that a line may run through."""
_ALMOST_ALL = 0.99
_ABOVE = ((4, 3), "left", "bottom")
_BELOW = ((-4, -4), "right", "top")
_LEVEL = Look("", style.EXACT)
_FARTHEST = 8.0
"""Ratios beyond this, and below its inverse, have the same colour."""
_DARK = 0.6
"""Share of the scale of colours, from the middle on, beyond which white words are read better."""


class Overlay(Protocol):
    """Draw something into a panel whose axes are divided."""

    def draw(self, axes: Axes) -> None: ...


@dataclass(frozen=True)
class Panel:
    """Name a panel, and list what is drawn into it, from the lowest to the topmost."""

    marks: Sequence[Overlay]
    title: str = ""
    colour: str = style.INK


@dataclass(frozen=True)
class Curves:
    """Describe a picture of curves; ``panel_inches`` is the height of a panel."""

    title: str
    x: Axis
    y: Axis
    panels: Sequence[Panel]
    legend: Sequence[Look]
    notes: Sequence[str]
    panel_inches: float
    shares_heights: bool = True

    def draw(self) -> Picture:
        picture, every = framed(
            self.title, self.y.name, self.legend, self.notes, len(self.panels), self.panel_inches,
            self.shares_heights,
        )  # fmt: skip
        room = _TITLE_CHARACTERS // min(len(self.panels), MOST_ABREAST)
        for axes, panel in zip(every, self.panels, strict=True):
            axes.set_title(textwrap.fill(panel.title, room), color=panel.colour)
            axes.set_xlabel(self.x.name)
            self.x.divide(axes, "x")
            self.y.divide(axes, "y")
            for mark in panel.marks:
                mark.draw(axes)
        return picture


class Point(NamedTuple):
    """Place a point; its bar reaches from ``y - below`` to ``y + above``, its words say more."""

    x: float
    y: float
    below: float = 0.0
    above: float = 0.0
    words: str = ""


@dataclass(frozen=True)
class Line:
    """Join points from left to right; on a logarithmic axis zeros stand on the lower edge.

    Words stand above the points, or below those of the lowest of falling lines.
    """

    points: Sequence[Point]
    look: Look
    is_lowest: bool = False

    def draw(self, axes: Axes) -> None:
        if axes.get_yscale() == "log":
            self._draw_bars(axes, [point for point in self.points if point.y > 0])
            Edge([point.x for point in self.points if point.y == 0], self.look).draw(axes)
        else:
            axes.plot([p.x for p in self.points], [p.y for p in self.points], **self.look.told())
        # Where points crowd, only some have words, from the last on.
        offset, across, along = _BELOW if self.is_lowest else _ABOVE
        for point in reversed(self.points):
            if point.y and point.words and _has_room(axes, point, across):
                PlacedWords(
                    point.words, (point.x, point.y), offset, across, along, is_small=True,
                    colour=self.look.colour, is_on_paper=True,
                ).draw(axes)  # fmt: skip

    def _draw_bars(self, axes: Axes, points: Sequence[Point]) -> None:
        if points:
            # On a logarithmic axis no bar can reach zero.
            below = [_ALMOST_ALL * p.y if p.below >= p.y else p.below for p in points]
            x, y, _, above, _ = zip(*points, strict=True)
            axes.errorbar(x, y, [below, above], **self.look.told())


@dataclass(frozen=True)
class Edge:
    """Set points on the lower edge of a panel, or on the upper one, beyond which they reach."""

    places: Sequence[float]
    look: Look
    is_upper: bool = False

    def draw(self, axes: Axes) -> None:
        if self.places:
            look = {**self.look.told(), "linestyle": "none", "clip_on": False}
            heights = [int(self.is_upper)] * len(self.places)
            axes.plot(self.places, heights, transform=axes.get_xaxis_transform(), **look)


@dataclass(frozen=True)
class Band:
    """Fill what lies between two heights at each place."""

    places: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    colour: str
    alpha: float = 1.0
    zorder: float = 1.0

    def draw(self, axes: Axes) -> None:
        axes.fill_between(
            self.places, self.low, self.high, color=self.colour, alpha=self.alpha,
            zorder=self.zorder, linewidth=0,
        )  # fmt: skip


@dataclass(frozen=True)
class Level:
    """Mark a height, or a place along x, by a line through the panel; words stand at its end."""

    at: float
    words: str = ""
    axis: Literal["x", "y"] = "y"
    look: Look = _LEVEL

    def draw(self, axes: Axes) -> None:
        if self.axis == "x":
            axes.axvline(self.at, **self.look.told())
            place, offset, within = (self.at, 1.0), (-4, -2), ("data", "axes fraction")
        else:
            axes.axhline(self.at, **self.look.told())
            place, offset, within = (1.0, self.at), (-2, -3), ("axes fraction", "data")
        if self.words:
            PlacedWords(
                self.words, place, offset, "right", "top", within, self.look.colour,
                is_on_paper=self.axis == "y",
            ).draw(axes)  # fmt: skip


@dataclass(frozen=True)
class Field:
    """Fill a field of width and height 1 by its ratio; without one write its words alone."""

    place: tuple[int, int]
    words: str
    ratio: float | None = None
    is_bold: bool = False

    def draw(self, axes: Axes) -> None:
        """Draw the field, green where the ratio is below 1, and its words."""
        from matplotlib import colormaps
        from matplotlib.colors import LogNorm

        (x, y), colour = self.place, style.FAILURE
        if self.ratio is not None:
            shade = float(LogNorm(1 / _FARTHEST, _FARTHEST, clip=True)(self.ratio))
            colour = "white" if abs(2 * shade - 1) > _DARK else style.INK
            corners = ([x - 0.5, x + 0.5, x + 0.5, x - 0.5], [y - 0.5, y - 0.5, y + 0.5, y + 0.5])
            axes.fill(*corners, color=colormaps["PiYG_r"](shade), linewidth=0)
        axes.text(
            x, y, self.words, ha="center", va="center", fontsize=style.NOTE_SIZE, color=colour,
            fontweight="bold" if self.is_bold else "normal",
        )  # fmt: skip


@dataclass(frozen=True)
class PlacedWords:
    """Write ``text`` beside a place, ``offset`` points away from it.

    ``within`` says what x and y of the place count: "data" or "axes fraction".
    """

    text: str
    place: tuple[float, float]
    offset: tuple[float, float] = (0, 0)
    across: str = "left"
    along: str = "baseline"
    within: str | tuple[str, str] = "data"
    colour: str = style.FAINT
    is_small: bool = False
    is_on_paper: bool = False

    def draw(self, axes: Axes) -> None:
        look: dict[str, Any] = {"fontsize": style.NOTE_SIZE} if self.is_small else {}
        axes.annotate(
            self.text, self.place, self.offset, xycoords=self.within, textcoords="offset points",
            ha=self.across, va=self.along, color=self.colour,
            bbox=_PAPER if self.is_on_paper else None, **look,
        )  # fmt: skip


def _has_room(axes: Axes, point: Point, across: str) -> bool:
    """Return whether nothing was written beside a point nearby, on the same side."""
    from matplotlib.text import Annotation

    share = axes.transScale + axes.transLimits
    right, up = share.transform((point.x, point.y))
    return not any(
        isinstance(text, Annotation)
        and text.xycoords == "data"
        and text.get_horizontalalignment() == across
        and all(abs(share.transform(text.xy) - (right, up)) < (_WORD_SHARE, _LINE_SHARE))
        for text in axes.texts
    )
