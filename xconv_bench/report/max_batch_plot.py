"""The largest batch whose training step fits, as bars."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from xconv_bench.report import style
from xconv_bench.report.pictures import fixed_settings, save
from xconv_bench.report.settings import Setting, is_reference, number, settings_of
from xconv_bench.report.summary import Row
from xconv_bench.report.units import format_ratio
from xconv_bench.report.words import method_words, status_words
from xconv_bench.results.schema import TABLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

_WIDTH_INCHES = 8.0
_FRAME_INCHES = 1.25
_BAR_INCHES = 0.34
_BAR = 0.64
"""Of the distance between two bars."""
_LABEL_CHARACTERS = 42
_TITLE_CHARACTERS = 96
_ROOM_FOR_VALUES = 1.2
_NOTE = (
    "samples of a training step that fits; (×): relative to the method exact in the same setting"
)


def plot_max_batch(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Draw ``max_batch.png`` and ``max_batch.svg`` in ``folder`` and return their paths.

    A bar for each method of ``rows``, as ``Table.rows`` returns them: the largest batch that fits,
    and its ratio to that of exact. Where there is none, words say why. Rows of several settings
    make a picture each, told apart by the ends of their names. Nothing is drawn of a setting in
    which no batch was found. Raises BenchError where a file cannot be written.
    """
    written: list[Path] = []
    with fixed_settings():
        for setting in settings_of(rows, TABLES["max_batch"].key):
            if any(number(row, "max_batch_size") for row in setting.rows):
                written += save(_draw(setting), folder, f"max_batch{setting.suffix}")
    return written


def _draw(setting: Setting) -> Picture:
    from matplotlib.figure import Figure as Picture

    rows = setting.rows
    height = _FRAME_INCHES + _BAR_INCHES * len(rows)
    picture = Picture(figsize=(_WIDTH_INCHES, height), layout="constrained")
    axes = picture.add_subplot()
    labels = [textwrap.shorten(method_words(row), _LABEL_CHARACTERS) for row in rows]
    axes.set_yticks(range(len(rows)), labels)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    exact = next((number(row, "max_batch_size") for row in rows if is_reference(row)), None)
    for place, row in enumerate(rows):
        _draw_bar(axes, place, row, exact)
    axes.set_xlim(0, max(number(row, "max_batch_size") or 0 for row in rows) * _ROOM_FOR_VALUES)
    axes.set_xlabel("largest batch")
    axes.grid(axis="x")
    title = textwrap.fill(f"Largest batch: {setting.title}", _TITLE_CHARACTERS)
    picture.suptitle(title, x=0.012, ha="left")
    picture.supxlabel(_NOTE, x=0.012, ha="left", color=style.FAINT)
    return picture


def _draw_bar(axes: Axes, place: int, row: Row, exact: float | None) -> None:
    size = number(row, "max_batch_size")
    if size is None:
        _write(axes, place, 0, status_words(str(row["status"])), style.FAILURE)
        return
    axes.barh(place, size, _BAR, color=style.shades(str(row["method"])).dark)
    ratio = f"  ({format_ratio(size / exact)})" if exact and not is_reference(row) else ""
    _write(axes, place, size, f"{size:.0f}{ratio}", style.INK)


def _write(axes: Axes, place: int, end: float, text: str, colour: str) -> None:
    """Write ``text`` a little to the right of where a bar ends."""
    axes.annotate(text, (end, place), (5, 0), textcoords="offset points", va="center", color=colour)
