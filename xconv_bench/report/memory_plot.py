"""Peak memory by configuration, as bars."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from xconv_bench.report import style
from xconv_bench.report.pictures import fixed_settings, save
from xconv_bench.report.summary import RATIO_MEANING, Row, Summary, summarize
from xconv_bench.report.units import Unit, bytes_unit, format_ratio
from xconv_bench.report.words import label, outcome, title, varying
from xconv_bench.results.schema import Column
from xconv_bench.results.schema.memory import MEMORY
from xconv_bench.results.schema.shared import PEAKS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

_WIDTH_INCHES = 8.0
_FRAME_INCHES = 1.6
_LINE_INCHES = 0.165
# The vertical axis counts lines of text, downwards.
_BAR_LINES = 1.35
_BAR_GAP_LINES = 0.8
_GROUP_GAP_LINES = 0.9
_LABEL_CHARACTERS = 38
_TITLE_CHARACTERS = 96
_NOTE_CHARACTERS = 136
_ROOM_FOR_VALUES = 1.28


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
    with fixed_settings():
        return save(_draw(summaries), folder, "memory")


def _draw(summaries: Sequence[Summary]) -> Picture:
    from matplotlib.figure import Figure as Picture

    meter = _shown_meter(summaries)
    setting = varying(summaries)
    labels = [textwrap.fill(label(each, setting), _LABEL_CHARACTERS) for each in summaries]
    places, end = _places(summaries, setting, labels)
    height = _FRAME_INCHES + _LINE_INCHES * end
    picture = Picture(figsize=(_WIDTH_INCHES, height), layout="constrained")
    axes = picture.add_subplot()
    axes.set_yticks(places, labels)
    axes.set_ylim(end, 0)
    largest = max(each.figures.get(meter.name, 0) if each.is_ok else 0 for each in summaries)
    unit = bytes_unit(largest)
    for place, summary in zip(places, summaries, strict=True):
        _draw_bar(axes, place, summary, meter, unit)
    picture.suptitle(_title(summaries), x=0.012, ha="left")
    if largest:
        axes.set_xlim(0, largest / unit.size * _ROOM_FOR_VALUES)
        _explain_bars(axes, f"{meter.heading} ({unit.name})")
        picture.supxlabel(_note(summaries, meter), x=0.012, ha="left", color=style.FAINT)
    else:
        axes.xaxis.set_visible(False)
        axes.spines.bottom.set_visible(False)
    return picture


def _shown_meter(summaries: Sequence[Summary]) -> Column:
    """The first peak meter that was read for all configurations, or else for most of them."""
    measured = [summary.figures for summary in summaries if summary.is_ok]
    counts = [sum(column in figures for figures in measured) for column in PEAKS]
    shown = PEAKS[counts.index(max(counts))]
    return MEMORY[shown]


def _places(
    summaries: Sequence[Summary], setting: Sequence[str], labels: Sequence[str]
) -> tuple[list[float], float]:
    """Where the bars stand and where they end; bars of one setting stand together."""
    places: list[float] = []
    end = 0.0
    before = summaries[0]
    for summary, text in zip(summaries, labels, strict=True):
        if any(before.settings[name] != summary.settings[name] for name in setting):
            end += _GROUP_GAP_LINES
        lines = max(_BAR_LINES, 1 + text.count("\n")) + _BAR_GAP_LINES
        places.append(end + lines / 2)
        end += lines
        before = summary
    return places, end


def _draw_bar(axes: Axes, place: float, summary: Summary, meter: Column, unit: Unit) -> None:
    """The peak with its value; what was saved within it; or in words why there is none."""
    peak = summary.figures.get(meter.name)
    if peak is None or not summary.is_ok:
        words = "not measured" if summary.is_ok else outcome(summary)
        _write(axes, place, 0, words, style.FAILURE)
        return
    shades = style.shades(summary.method)
    saved = min(summary.figures.get("saved_bytes", 0), peak)
    axes.barh(place, peak / unit.size, _BAR_LINES, color=shades.light)
    axes.barh(place, saved / unit.size, _BAR_LINES, color=shades.dark)
    ratio = summary.ratios.get(meter.name)
    value = unit.format(peak) + ("" if ratio is None else f"  ({format_ratio(ratio)})")
    _write(axes, place, peak / unit.size, value, style.INK)


def _write(axes: Axes, place: float, end: float, text: str, colour: str) -> None:
    """Write ``text`` a little to the right of where a bar ends."""
    offset = (5, 0)
    axes.annotate(
        text, (end, place), offset, textcoords="offset points", va="center_baseline", color=colour
    )


def _explain_bars(axes: Axes, heading: str) -> None:
    from matplotlib.patches import Patch

    axes.set_xlabel(heading)
    axes.grid(axis="x")
    axes.legend(
        handles=[
            Patch(color=style.NEUTRAL.dark, label="saved for the backward pass"),
            Patch(color=style.NEUTRAL.light, label="the rest of the peak"),
        ],
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=2,
    )


def _title(summaries: Sequence[Summary]) -> str:
    return textwrap.fill(f"Peak memory: {title(summaries)}", _TITLE_CHARACTERS)


def _note(summaries: Sequence[Summary], meter: Column) -> str:
    """What the meter reads and what the ratios mean."""
    note = f"{meter.heading}: {meter.meaning}"
    if any(summary.ratios for summary in summaries):
        note = f"{note}; (×): {RATIO_MEANING}"
    return textwrap.fill(note, _NOTE_CHARACTERS)
