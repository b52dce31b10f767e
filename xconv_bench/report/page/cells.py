"""Columns and cells of the tables in words: headings, and values with their units."""

from collections.abc import Callable, Iterable, Mapping

from xconv_bench.report.figures import FIGURES
from xconv_bench.report.training_words import JUDGED
from xconv_bench.report.units import (
    bytes_unit,
    format_budget,
    format_measured,
    format_p_value,
    format_ratio,
    seconds_unit,
)
from xconv_bench.report.words import HEADINGS, status_words
from xconv_bench.results.columns import Cell

Write = Callable[[Mapping[str, Cell]], str]
"""From a row to the text of one of its cells."""

_HEADINGS = {
    **HEADINGS,
    **{figure.column: figure.heading for figure in FIGURES},
    **JUDGED,
    "gap": "gap to exact",
    "image_size": "image (px)",
    "memory_budget_bytes": "memory",
    "simulated_peak_bytes": "simulated peak",
    "max_batch_size": "largest batch",
    "cpu_wait_part": "part waited for a core",
    "beaten_in_error_by": "beaten in error by",
    "beaten_in_time_by": "beaten in time by",
    "beaten_in_all_by": "beaten in all by",
    "r_squared": "R²",
}
_UNITS = ("_bytes", "_seconds")
_CHOSEN = ("headroom", "target_ratio")
"""Numbers that somebody chose: nothing is to be rounded."""
DOUBTS = ("_se", "_low", "_high")
"""Ends of columns that say how well the column before them is known."""


def heading(column: str) -> str:
    """
    >>> heading("layer_peak_bytes"), heading("batch_size"), heading("step_ratio")
    ('layer peak', 'batch', 'step ratio')
    """
    if column in _HEADINGS:
        return _HEADINGS[column]
    for unit in _UNITS:
        column = column.removesuffix(unit)
    return column.replace("_", " ")


def writer(column: str, rows: Iterable[Mapping[str, Cell]]) -> Write:
    """How to write the cells of a column, all in one unit: that of the largest."""
    format_number = _formatter(column, rows)

    def write(row: Mapping[str, Cell]) -> str:
        value = row.get(column)
        if value is None:
            return ""
        if isinstance(value, str):
            return status_words(value) if column == "status" else value
        low, high = row.get(f"{column}_low"), row.get(f"{column}_high")
        error = row.get(f"{column}_se")
        if isinstance(low, int | float) and isinstance(high, int | float):
            return f"{format_number(value)} ({format_number(low)} to {format_number(high)})"
        if isinstance(error, int | float) and not isinstance(value, int):
            return format_measured(value, error)
        return format_number(value)

    return write


def _formatter(column: str, rows: Iterable[Mapping[str, Cell]]) -> Callable[[float], str]:
    if column == "memory_budget_bytes":
        return lambda value: format_budget(int(value))
    if column in _CHOSEN:
        return lambda value: f"{value:g}"
    values = [row.get(column) for row in rows]
    largest = max((value for value in values if isinstance(value, int | float)), default=0)
    if column.endswith("_bytes"):
        return bytes_unit(largest).format
    if column.endswith("_seconds"):
        return seconds_unit(largest).format
    if column.endswith("_ratio") and column not in ("variance_ratio", "target_ratio"):
        return format_ratio
    if column in ("bias_p_value", "bias_false_alarm_rate"):
        return format_p_value
    return _format_number


def _format_number(value: float) -> str:
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    return format_measured(value, None) if value != 0 else "0"
