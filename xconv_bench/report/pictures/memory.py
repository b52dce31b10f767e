"""Describe the picture of ``memory.csv``: the peak of each configuration, as bars."""

from collections.abc import Iterator, Sequence

from xconv_bench.amounts import Scale, bytes_scale
from xconv_bench.report.canvas import style
from xconv_bench.report.canvas.bars import Bar, Bars
from xconv_bench.report.pictures.lines import Named
from xconv_bench.report.settings import Beside
from xconv_bench.report.summary import (
    RATIO_MEANING,
    Row,
    Summary,
    label,
    outcome,
    summarize,
    title,
    varying,
)
from xconv_bench.report.words import format_ratio
from xconv_bench.results.schema import Column
from xconv_bench.results.schema.memory import MEMORY
from xconv_bench.results.schema.shared import PEAKS


def pictures(rows: Sequence[Row], beside: Beside) -> Iterator[Named]:
    """Describe the peak of each configuration, and in it, darker, what autograd had saved.

    All bars show one meter. Where a configuration failed, words stand in the place of the bar.
    """
    if summaries := summarize(rows):
        yield "memory", _peaks(summaries)


def _peaks(summaries: Sequence[Summary]) -> Bars:
    meter, setting = _shown_meter(summaries), varying(summaries)
    unit = bytes_scale(max(_peak(each, meter) or 0 for each in summaries))
    has_ratios = any(summary.ratios for summary in summaries)
    return Bars(
        title=f"Peak memory: {title(summaries)}",
        axis=f"{meter.heading} ({unit.name})",
        bars=[_bar(each, meter, unit, setting) for each in summaries],
        notes=[
            f"{meter.heading}: {meter.meaning}",
            *([f"(×): {RATIO_MEANING}"] if has_ratios else []),
        ],
        legend={
            "saved for the backward pass": style.NEUTRAL.dark,
            "the rest of the peak": style.NEUTRAL.light,
        },
    )


def _shown_meter(summaries: Sequence[Summary]) -> Column:
    """Return the first peak meter that was read for all configurations, or else for most."""
    measured = [summary.figures for summary in summaries if summary.is_ok]
    counts = [sum(column in figures for figures in measured) for column in PEAKS]
    shown = PEAKS[counts.index(max(counts))]
    return MEMORY[shown]


def _peak(summary: Summary, meter: Column) -> float | None:
    return summary.figures.get(meter.name) if summary.is_ok else None


def _bar(summary: Summary, meter: Column, unit: Scale, setting: Sequence[str]) -> Bar:
    """Describe the peak with its value; what was saved within it; or in words why there is none."""
    name, group = label(summary, setting), [summary.settings[column] for column in setting]
    peak = _peak(summary, meter)
    if peak is None:
        return Bar(name, "not measured" if summary.is_ok else outcome(summary), group=group)
    shades = style.shades(summary.method)
    saved = min(summary.figures.get("saved_bytes", 0), peak)
    ratio = summary.ratios.get(meter.name)
    words = unit.format(peak) + ("" if ratio is None else f"  ({format_ratio(ratio)})")
    parts = [(peak / unit.size, shades.light), (saved / unit.size, shades.dark)]
    return Bar(name, words, parts, group)
