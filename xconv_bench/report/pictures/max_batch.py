"""Describe the pictures of ``max_batch.csv``: the largest batch of each method, as bars."""

from collections.abc import Iterator, Sequence

from xconv_bench.naming import method_words
from xconv_bench.report.canvas import style
from xconv_bench.report.canvas.bars import Bar, Bars
from xconv_bench.report.pictures.lines import Named
from xconv_bench.report.settings import (
    Beside,
    Comparable,
    is_reference,
    number,
    reference_in,
    settings_of,
)
from xconv_bench.report.summary import Row
from xconv_bench.report.words import ended, format_ratio
from xconv_bench.results.schema import TABLES

_NOTE = (
    "samples of a training step that fits; (×): relative to the method exact in the same setting"
)


def pictures(rows: Sequence[Row], beside: Beside) -> Iterator[Named]:
    """Describe the largest batch that fits, and its ratio to that of exact, method by method."""
    for setting in settings_of(rows, TABLES["max_batch"].key):
        yield f"max_batch{setting.suffix}", largest_batches(setting)


def largest_batches(setting: Comparable) -> Bars | None:
    """Describe the bars of a setting; None where no batch was found."""
    if not any(number(row, "max_batch_size") for row in setting.rows):
        return None
    exact = reference_in(setting.rows)
    whole = None if exact is None else number(exact, "max_batch_size")
    bars = [_bar(row, whole) for row in setting.rows]
    return Bars(f"Largest batch: {setting.title}", "largest batch", bars, [_NOTE])


def _bar(row: Row, exact: float | None) -> Bar:
    size = number(row, "max_batch_size")
    if size is None:
        return Bar(method_words(row), ended(row))
    ratio = f"  ({format_ratio(size / exact)})" if exact and not is_reference(row) else ""
    colour = style.shades(str(row["method"])).dark
    return Bar(method_words(row), f"{size:.0f}{ratio}", [(size, colour)])
