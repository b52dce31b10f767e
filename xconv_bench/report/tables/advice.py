"""The rows of ``advice.csv`` as a table for people: the plan, then what came of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import IO

from xconv_bench.amounts import format_bytes, format_seconds
from xconv_bench.report.settings import Comparable, number, settings_of
from xconv_bench.report.summary import Row
from xconv_bench.report.tables.engine import Figure, columns_of, error_figure, figure_of, no_exact
from xconv_bench.report.tables.terminal import Block, Printed, TextColumn, print_tables
from xconv_bench.report.units import format_measured, format_ratio, known
from xconv_bench.results.schema import ALL_LAYERS
from xconv_bench.results.schema.advice import ADVICE


def print_advice_table(rows: Sequence[Row], plan: Path, file: IO[str] | None = None) -> None:
    """Print a line for each module, then predicted and measured figures of the whole."""
    parts = [_part(setting, plan) for setting in settings_of(rows, ADVICE.key)]
    print_tables(Printed(parts), file)


def _part(setting: Comparable, plan: Path) -> Block:
    modules = [row for row in setting.rows if row["layer"] != ALL_LAYERS]
    return Block(
        setting.title,
        [TextColumn("module", [str(row["layer"]) for row in modules], "left")],
        columns_of(_FIGURES, modules, no_exact),
        [*_whole(setting), f"plan: {plan}"],
    )


def _whole(setting: Comparable) -> list[str]:
    (row,) = (row for row in setting.rows if row["layer"] == ALL_LAYERS)
    seconds = number(row, "step_seconds")
    lines = [
        f"peak of a step: {_bytes(row, 'predicted_peak_bytes')} predicted, "
        f"{_bytes(row, 'peak_bytes')} measured",
        f"relative error: {_error(row, 'predicted_error')} predicted, "
        f"{_error(row, 'relative_error')} measured",
    ]
    if seconds is not None:
        ratio = number(row, "step_ratio")
        words = "" if ratio is None else f", {format_ratio(ratio)} exact"
        lines.append(f"time of a step: {format_seconds(seconds)}{words}")
    return [*lines, *filter(None, [str(row["message"] or "")])]


def _bytes(row: Row, column: str) -> str:
    return known(number(row, column), format_bytes)


def _error(row: Row, column: str) -> str:
    return known(number(row, column), lambda v: format_measured(v, None) if v else "exact")


_FIGURES: tuple[Figure[Row], ...] = (
    figure_of(ADVICE["setting"]),
    figure_of(ADVICE["saved_bytes"], heading="bytes"),
    figure_of(ADVICE["exact_saved_bytes"]),
    error_figure(
        ADVICE["predicted_error"],
        heading="error",
        meaning="part that it adds to the relative error of the gradient of all weights",
    ),
)
