"""Times of a step relative to exact, shape by shape, as heat maps."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xconv_bench.report import style
from xconv_bench.report.pictures import fixed_settings, save
from xconv_bench.report.settings import number
from xconv_bench.report.summary import Row
from xconv_bench.report.tables.runtime import is_win
from xconv_bench.report.units import format_ratio
from xconv_bench.report.words import method_words, status_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

_WIDTH_INCHES = 8.0
_ABREAST = 3
_CELL_INCHES = 0.3
_FRAME_INCHES = 1.1
_TITLE_CHARACTERS = 26
_DARK = 0.6
"""Of the scale, from the middle on: there white words are read better."""

_FARTHEST = 8.0
"""Ratios beyond this, and below its inverse, have the same colour."""

_NOTE = (
    "time of a step over that of the exact layer in the same round, median; green is quicker than "
    "exact; in bold where the whole 95 % interval is below 1"
)


def plot_runtime(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Draw ``runtime.png`` and ``runtime.svg`` in ``folder`` and return their paths.

    A panel for each method with its knobs, as ``Table.rows`` returns the ``rows``; a line for each
    model and batch, a column for each image size. Without a ratio nothing is drawn. Raises
    BenchError where a file cannot be written.
    """
    panels: dict[str, list[Row]] = {}
    for row in rows:
        if row["method"] != "exact":
            panels.setdefault(method_words(row), []).append(row)
    if not any(number(row, "step_ratio") for some in panels.values() for row in some):
        return []
    with fixed_settings():
        return save(_draw(panels), folder, "runtime")


def _draw(panels: dict[str, list[Row]]) -> Picture:
    from matplotlib.figure import Figure as Picture

    every = [row for rows in panels.values() for row in rows]
    lines = list(dict.fromkeys(_line(row) for row in every))
    sizes = sorted({int(number(row, "image_size") or 0) for row in every})
    abreast = min(_ABREAST, len(panels))
    down = ceil(len(panels) / abreast)
    height = down * (_CELL_INCHES * len(lines) + _FRAME_INCHES) + _FRAME_INCHES / 2
    picture = Picture(figsize=(_WIDTH_INCHES, height), layout="constrained")
    grid = picture.subplots(down, abreast, sharey=True, squeeze=False)
    for axes, (name, rows) in zip(grid.flat, panels.items(), strict=False):
        _draw_panel(axes, rows, lines, sizes)
        axes.set_title(textwrap.fill(name, _TITLE_CHARACTERS))
    for unused in grid.flat[len(panels) :]:
        unused.set_visible(False)
    picture.suptitle("Time of a step relative to exact", x=0.012, ha="left")
    picture.supxlabel(_NOTE, x=0.012, ha="left", color=style.FAINT)
    return picture


def _draw_panel(axes: Axes, rows: Sequence[Row], lines: list[str], sizes: list[int]) -> None:
    from matplotlib import colormaps
    from matplotlib.colors import LogNorm

    scale, colours = LogNorm(1 / _FARTHEST, _FARTHEST, clip=True), colormaps["PiYG_r"]
    axes.set_xticks(range(len(sizes)), [str(size) for size in sizes])
    axes.set_yticks(range(len(lines)), lines)
    axes.set(xlim=(-0.5, len(sizes) - 0.5), ylim=(len(lines) - 0.5, -0.5), xlabel="pixels a side")
    axes.spines.bottom.set_visible(False)
    axes.tick_params(length=0)
    for row in rows:
        x, y = sizes.index(int(number(row, "image_size") or 0)), lines.index(_line(row))
        ratio = number(row, "step_ratio")
        if ratio is None:
            _write(axes, x, y, status_words(str(row["status"])), color=style.FAILURE)
            continue
        place = float(scale(ratio))
        axes.fill([x - 0.5, x + 0.5, x + 0.5, x - 0.5], [y - 0.5, y - 0.5, y + 0.5, y + 0.5],
                  color=colours(place), linewidth=0)  # fmt: skip
        is_dark = abs(2 * place - 1) > _DARK
        weight = "bold" if is_win(row) else "normal"
        _write(axes, x, y, format_ratio(ratio), color="white" if is_dark else style.INK,
               fontweight=weight)  # fmt: skip


def _write(axes: Axes, x: float, y: float, text: str, **look: Any) -> None:
    axes.text(x, y, text, ha="center", va="center", fontsize=style.NOTE_SIZE, **look)


def _line(row: Row) -> str:
    return f"{row['model']}, batch {row['batch_size']}"
