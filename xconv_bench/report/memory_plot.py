"""Peak memory by configuration, as bars."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from xconv_bench.report import style
from xconv_bench.report.figures import FIGURES, PEAK_COLUMNS, RATIO_MEANING, Figure
from xconv_bench.report.summary import Row, Summary, summarize
from xconv_bench.report.units import Unit, bytes_unit, format_ratio
from xconv_bench.report.words import label, outcome, title, varying
from xconv_bench.results.files import explained

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

_WIDTH_INCHES = 8.0
_FRAME_INCHES = 1.55
_LINE_INCHES = 0.17
_BAR_HEIGHT = 0.68
_GROUP_GAP = 0.5
_LABEL_CHARACTERS = 36
_TITLE_CHARACTERS = 90
_NOTE_CHARACTERS = 130
_ROOM_FOR_VALUES = 1.3


def plot_memory(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Draw ``memory.png`` and ``memory.svg`` in ``folder`` and return their paths.

    One bar for each configuration of ``rows``, as ``Table.rows`` returns them: its peak, and in
    it, darker, what autograd had saved. All bars show one meter, which the axis names. Where a
    configuration failed, words stand in the place of the bar. Without rows nothing is drawn.

    Raises BenchError where a file cannot be written.
    """
    summaries = summarize(rows)
    if not summaries:
        return []
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(style.SETTINGS)
        return _save(_draw(summaries), folder)


def _save(picture: Picture, folder: Path) -> list[Path]:
    png, svg = folder / "memory.png", folder / "memory.svg"
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with explained(png):
        picture.savefig(png, dpi=style.DOTS_PER_INCH, metadata={"Software": None})
    with explained(svg):
        picture.savefig(svg, metadata={"Date": None})
    return [png, svg]


def _draw(summaries: Sequence[Summary]) -> Picture:
    from matplotlib.figure import Figure as Picture

    meter = _shown_meter(summaries)
    setting = varying(summaries)
    labels = [textwrap.fill(label(each, setting), _LABEL_CHARACTERS) for each in summaries]
    places = _places(summaries, setting)
    lines = 1 + max(text.count("\n") + 1 for text in labels)
    height = _FRAME_INCHES + _LINE_INCHES * lines * (places[-1] + 1)
    picture = Picture(figsize=(_WIDTH_INCHES, height), layout="constrained")
    axes = picture.add_subplot()
    largest = max(summary.figures.get(meter.column, 0) for summary in summaries)
    unit = bytes_unit(largest)
    for place, summary in zip(places, summaries, strict=True):
        _draw_bar(axes, place, summary, meter, unit)
    axes.set_yticks(places, labels)
    axes.set_ylim(places[-1] + 0.5, -0.5)
    axes.set_xlim(0, (largest / unit.size or 1) * _ROOM_FOR_VALUES)
    _finish_axes(axes, f"{meter.heading} ({unit.name})")
    _add_words(picture, summaries, meter)
    return picture


def _shown_meter(summaries: Sequence[Summary]) -> Figure:
    """The first peak meter that was read for all configurations, or else for most of them."""
    measured = [summary.figures for summary in summaries if summary.is_ok]
    counts = [sum(column in figures for figures in measured) for column in PEAK_COLUMNS]
    shown = PEAK_COLUMNS[counts.index(max(counts))]
    return next(figure for figure in FIGURES if figure.column == shown)


def _places(summaries: Sequence[Summary], setting: Sequence[str]) -> list[float]:
    """Where the bars stand, downwards; bars of one setting stand together."""
    places = [0.0]
    for before, after in pairwise(summaries):
        is_same = all(before.settings[name] == after.settings[name] for name in setting)
        places.append(places[-1] + 1 + (0 if is_same else _GROUP_GAP))
    return places


def _draw_bar(axes: Axes, place: float, summary: Summary, meter: Figure, unit: Unit) -> None:
    """The peak with its value; what was saved within it; or in words why there is none."""
    peak = summary.figures.get(meter.column)
    if peak is None or not summary.is_ok:
        words = "not measured" if summary.is_ok else outcome(summary)
        _write(axes, place, 0, words, style.FAILURE)
        return
    shades = style.shades(summary.method)
    saved = min(summary.figures.get("saved_bytes", 0), peak)
    axes.barh(place, peak / unit.size, _BAR_HEIGHT, color=shades.light)
    axes.barh(place, saved / unit.size, _BAR_HEIGHT, color=shades.dark)
    ratio = summary.ratios.get(meter.column)
    value = unit.format(peak) + ("" if ratio is None else f"  ({format_ratio(ratio)})")
    _write(axes, place, peak / unit.size, value, style.INK)


def _write(axes: Axes, place: float, end: float, text: str, colour: str) -> None:
    axes.annotate(text, (end, place), (4, 0), textcoords="offset points", va="center", color=colour)


def _finish_axes(axes: Axes, heading: str) -> None:
    from matplotlib.patches import Patch

    axes.set_xlabel(heading)
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
    axes.legend(
        handles=[
            Patch(color=style.NEUTRAL.dark, label="saved for the backward pass"),
            Patch(color=style.NEUTRAL.light, label="the rest of the peak"),
        ],
        loc="lower left",
        bbox_to_anchor=(-0.01, 1),
        ncols=2,
        frameon=False,
    )


def _add_words(picture: Picture, summaries: Sequence[Summary], meter: Figure) -> None:
    """The title above, and below in small letters what is shown."""
    heading = textwrap.fill(f"Peak memory: {title(summaries)}", _TITLE_CHARACTERS)
    picture.suptitle(heading, x=0.01, ha="left")
    note = f"{meter.heading}: {meter.meaning}"
    if any(summary.ratios for summary in summaries):
        note = f"{note}; (×): {RATIO_MEANING}"
    note = textwrap.fill(note, _NOTE_CHARACTERS)
    picture.supxlabel(note, x=0.01, ha="left", fontsize="small", color=style.FAINT)
