"""Describe the picture of ``runtime.csv``: times relative to exact, shape by shape."""

from collections.abc import Sequence
from pathlib import Path

from xconv_bench.report.canvas.files import draw
from xconv_bench.report.canvas.heat_map import Field, HeatMap
from xconv_bench.report.runtime_table import is_win
from xconv_bench.report.settings import is_reference, number
from xconv_bench.report.summary import Row
from xconv_bench.report.units import format_ratio
from xconv_bench.report.words import method_words, status_words

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
    return draw([("runtime", step_ratios(rows))], folder)


def step_ratios(rows: Sequence[Row]) -> HeatMap | None:
    """Describe the panels of all methods; None where there is no ratio."""
    compared = [row for row in rows if not is_reference(row)]
    if not any(number(row, "step_ratio") for row in compared):
        return None
    panels: dict[str, list[Field]] = {}
    for row in compared:
        panels.setdefault(method_words(row), []).append(_field(row))
    sizes = sorted({_size(row) for row in compared})
    lines = dict.fromkeys(_line(row) for row in compared)
    return HeatMap(
        "Time of a step relative to exact", "pixels a side", [str(size) for size in sizes],
        list(lines), panels, _NOTE,
    )  # fmt: skip


def _field(row: Row) -> Field:
    column, line, ratio = str(_size(row)), _line(row), number(row, "step_ratio")
    if ratio is None:
        return Field(column, line, status_words(str(row["status"])))
    return Field(column, line, format_ratio(ratio), ratio, is_win(row))


def _size(row: Row) -> int:
    return int(number(row, "image_size") or 0)


def _line(row: Row) -> str:
    return f"{row['model']}, batch {row['batch_size']}"
