"""The rows of ``frontier.csv`` as a table for people: what each method costs, what beats it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO

from xconv_bench.report.settings import number
from xconv_bench.report.summary import Row
from xconv_bench.report.tables.engine import by_setting, error_figure, figure_of
from xconv_bench.report.tables.terminal import print_tables
from xconv_bench.results.schema.frontier import FRONTIER


def print_frontier_table(rows: Sequence[Row], file: IO[str] | None = None) -> None:
    """Print a line for each method, those with the smallest peak last.

    ``rows`` are as ``Table.rows`` returns them; ``file`` is standard output where None is given.
    """
    print_tables(by_setting(rows, FRONTIER.key, _FIGURES, _by_peak), file)


def _by_peak(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: -(number(row, "peak_bytes") or 0))


_FIGURES = (
    figure_of(FRONTIER["peak_bytes"], is_status=True),
    error_figure(FRONTIER["relative_error"]),
    figure_of(FRONTIER["floor_error"]),
    figure_of(FRONTIER["step_seconds"]),
    figure_of(FRONTIER["beaten_in_all_by"], heading="beaten by"),
)
