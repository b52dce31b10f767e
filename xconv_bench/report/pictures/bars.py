"""Describe the pictures of ``memory.csv`` and ``max_batch.csv``: a bar for each configuration."""

from collections.abc import Iterator, Sequence

from xconv_bench.amounts import Scale, bytes_scale
from xconv_bench.naming import method_words
from xconv_bench.report.canvas import style
from xconv_bench.report.canvas.bars import Bar, Bars
from xconv_bench.report.pictures.lines import Named, by_setting
from xconv_bench.report.rows import (
    RATIO_MEANING,
    Beside,
    Comparable,
    Row,
    Summary,
    is_reference,
    label,
    number,
    outcome,
    reference_in,
    summarize,
    title,
    varying,
)
from xconv_bench.report.words import ended, format_ratio
from xconv_bench.results.schema import Column
from xconv_bench.results.schema.max_batch import MAX_BATCH
from xconv_bench.results.schema.memory import MEMORY
from xconv_bench.results.schema.shared import PEAKS

_SIZE = "max_batch_size"
_LEGEND = {
    "saved for the backward pass": style.NEUTRAL.dark,
    "the rest of the peak": style.NEUTRAL.light,
}


def memory(rows: Sequence[Row], beside: Beside) -> Iterator[Named]:
    """Describe the peak of each configuration, and in it, darker, what autograd had saved.

    All bars show one meter. Where a configuration failed, words stand in the place of the bar.
    """
    if summaries := summarize(rows):
        yield "memory", _peaks(summaries)


def _peaks(summaries: Sequence[Summary]) -> Bars:
    meter, setting = _shown_meter(summaries), varying(summaries)
    unit = bytes_scale(max(_peak(each, meter) or 0 for each in summaries))
    notes = [f"{meter.heading}: {meter.meaning}"]
    if any(summary.ratios for summary in summaries):
        notes.append(f"(×): {RATIO_MEANING}")
    bars = [_peak_bar(each, meter, unit, setting) for each in summaries]
    axis = f"{meter.heading} ({unit.name})"
    return Bars(f"Peak memory: {title(summaries)}", axis, bars, notes, _LEGEND)


def _shown_meter(summaries: Sequence[Summary]) -> Column:
    """Return the first peak meter that was read for all configurations, or else for most."""
    measured = [summary.figures for summary in summaries if summary.is_ok]
    counts = [sum(column in figures for figures in measured) for column in PEAKS]
    return MEMORY[PEAKS[counts.index(max(counts))]]


def _peak(summary: Summary, meter: Column) -> float | None:
    return summary.figures.get(meter.name) if summary.is_ok else None


def _peak_bar(summary: Summary, meter: Column, unit: Scale, setting: Sequence[str]) -> Bar:
    """Describe the peak with its value; what was saved within it; or in words why there is none."""
    name, group = label(summary, setting), [summary.settings[column] for column in setting]
    peak = _peak(summary, meter)
    if peak is None:
        return Bar(name, "not measured" if summary.is_ok else outcome(summary), group=group)
    shades = style.shades(summary.method)
    saved = min(summary.figures.get("saved_bytes", 0), peak)
    words = unit.format(peak) + _in_brackets(summary.ratios.get(meter.name))
    parts = [(peak / unit.size, shades.light), (saved / unit.size, shades.dark)]
    return Bar(name, words, parts, group)


def largest_batches(setting: Comparable, beside: Beside) -> Bars | None:
    """Describe the largest batch of each method that fits; None where none was found."""
    if not any(number(row, _SIZE) for row in setting.rows):
        return None
    bars = [_batch_bar(row, reference_in(setting.rows)) for row in setting.rows]
    note = f"samples of a training step that fits; (×): {RATIO_MEANING}"
    return Bars(f"Largest batch: {setting.title}", "largest batch", bars, [note])


def _batch_bar(row: Row, exact: Row | None) -> Bar:
    size = number(row, _SIZE)
    if size is None:
        return Bar(method_words(row), ended(row))
    whole = None if exact is None or is_reference(row) else number(exact, _SIZE)
    words = f"{size:.0f}{_in_brackets(size / whole if whole else None)}"
    return Bar(method_words(row), words, [(size, style.shades(str(row["method"])).dark)])


def _in_brackets(ratio: float | None) -> str:
    return "" if ratio is None else f"  ({format_ratio(ratio)})"


max_batch = by_setting(MAX_BATCH.key, {"max_batch": largest_batches})
