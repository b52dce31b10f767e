"""Draw ratios as coloured fields, line by line and column by column, in panels."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from xconv_bench.report.canvas import style
from xconv_bench.report.canvas.frame import headed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

_ABREAST = 3
_FIELD_INCHES = 0.3
_FRAME_INCHES = 1.1
_TITLE_CHARACTERS = 26
_DARK = 0.6
"""Share of the scale, from the middle on, beyond which white words are read better."""

_FARTHEST = 8.0
"""Ratios beyond this, and below its inverse, have the same colour."""


@dataclass(frozen=True)
class Field:
    """Describe a field by its place, its words, and its ratio; without one it has no colour."""

    column: str
    line: str
    words: str
    ratio: float | None = None
    is_bold: bool = False


@dataclass(frozen=True)
class HeatMap:
    """Describe a picture of panels of fields; ``axis`` is the name of the columns."""

    title: str
    axis: str
    columns: Sequence[str]
    lines: Sequence[str]
    panels: Mapping[str, Sequence[Field]]
    note: str

    def draw(self) -> Picture:
        """Return the picture."""
        abreast = min(_ABREAST, len(self.panels))
        down = ceil(len(self.panels) / abreast)
        inches = down * (_FIELD_INCHES * len(self.lines) + _FRAME_INCHES) + _FRAME_INCHES / 2
        picture = headed(self.title, self.note, inches)
        grid = picture.subplots(down, abreast, sharey=True, squeeze=False)
        for axes, (name, fields) in zip(grid.flat, self.panels.items(), strict=False):
            self._draw_panel(axes, fields)
            axes.set_title(textwrap.fill(name, _TITLE_CHARACTERS))
        for unused in grid.flat[len(self.panels) :]:
            unused.set_visible(False)
        return picture

    def _draw_panel(self, axes: Axes, fields: Sequence[Field]) -> None:
        width, height = len(self.columns), len(self.lines)
        axes.set_xticks(range(width), self.columns)
        axes.set_yticks(range(height), self.lines)
        axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), xlabel=self.axis)
        axes.spines.bottom.set_visible(False)
        axes.tick_params(length=0)
        for field in fields:
            _draw_field(axes, field, self.columns.index(field.column), self.lines.index(field.line))


def _draw_field(axes: Axes, field: Field, x: int, y: int) -> None:
    from matplotlib import colormaps
    from matplotlib.colors import LogNorm

    colour = style.FAILURE
    if field.ratio is not None:
        place = float(LogNorm(1 / _FARTHEST, _FARTHEST, clip=True)(field.ratio))
        colour = "white" if abs(2 * place - 1) > _DARK else style.INK
        axes.fill(
            [x - 0.5, x + 0.5, x + 0.5, x - 0.5], [y - 0.5, y - 0.5, y + 0.5, y + 0.5],
            color=colormaps["PiYG_r"](place), linewidth=0,
        )  # fmt: skip
    axes.text(
        x, y, field.words, ha="center", va="center", fontsize=style.NOTE_SIZE, color=colour,
        fontweight="bold" if field.is_bold else "normal",
    )  # fmt: skip
