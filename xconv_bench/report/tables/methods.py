"""Tables with a line for each method: largest batches, the frontier, average gradient errors."""

from collections.abc import Sequence
from typing import IO

from xconv_bench.amounts import format_bytes
from xconv_bench.report.published import published_max_batch
from xconv_bench.report.settings import number, of_network
from xconv_bench.report.summary import Row
from xconv_bench.report.tables.engine import (
    Figure,
    by_setting,
    cell_words,
    error_figure,
    figure_of,
    in_brackets,
    ratio_to,
)
from xconv_bench.report.tables.terminal import print_tables
from xconv_bench.report.units import format_ratio
from xconv_bench.report.words import ended
from xconv_bench.results.schema.age import AGE
from xconv_bench.results.schema.frontier import FRONTIER
from xconv_bench.results.schema.max_batch import MAX_BATCH
from xconv_bench.results.schema.shared import PEAKS

_LIMITS = {
    "memory": "memory",
    "elements": "2³¹ elements of a tensor",
    "network": "the network",
    "max": "--max",
}
_ERROR = AGE["average_gradient_error"]
_FLOOR = AGE["exact_average_gradient_error"]


def print_max_batch_table(rows: Sequence[Row], file: IO[str] | None = None) -> None:
    """Print the rows of ``max_batch.csv``: what fits, and what that is to exact."""
    print_tables(by_setting(rows, MAX_BATCH.key, _LARGEST_BATCHES), file)


def print_frontier_table(rows: Sequence[Row], file: IO[str] | None = None) -> None:
    """Print the rows of ``frontier.csv``, those with the smallest peak last."""
    print_tables(by_setting(rows, FRONTIER.key, _COSTS, _by_peak), file)


def print_average_error_table(rows: Sequence[Row], file: IO[str] | None = None) -> None:
    """Print the rows of ``age.csv`` over the whole network.

    Where batches were chosen for the memory, each line has its own.
    """
    print_tables(by_setting(rows, AGE.key, _AVERAGE_ERRORS, of_network), file)


def _largest(row: Row, exact: Row | None) -> str:
    size = number(row, "max_batch_size")
    if size is None:
        return ended(row)
    whole = None if exact is None else number(exact, "max_batch_size")
    doubt = "" if row["status"] == "ok" else f", {ended(row)}"
    return f"{size:.0f}{in_brackets(ratio_to(size, whole))}{doubt}"


def _peak(row: Row, _: Row | None) -> str:
    peaks = (number(row, column) for column in PEAKS if column in row)
    return next((format_bytes(peak) for peak in peaks if peak is not None), "")


def _limit(row: Row, _: Row | None) -> str:
    return _LIMITS.get(str(row["limited_by"]), "")


def _published(row: Row, _: Row | None) -> str:
    return str(published_max_batch(row) or "")


def _by_peak(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: -(number(row, "peak_bytes") or 0))


def _batch(row: Row, _: Row | None) -> str:
    return "" if row["memory_budget_bytes"] is None else str(row["batch_size"])


def _average_error(row: Row, exact: Row | None) -> str:
    error = number(row, _ERROR.name)
    if row["status"] != "ok" or error is None:
        return ended(row)
    whole = None if exact is None else number(exact, _ERROR.name)
    return cell_words(_ERROR, row, exact) + in_brackets(ratio_to(error, whole))


def _over_floor(row: Row, _: Row | None) -> str:
    error, floor = number(row, _ERROR.name), number(row, _FLOOR.name)
    return "" if error is None or not floor else format_ratio(error / floor)


_LARGEST_BATCHES = (
    figure_of(MAX_BATCH["max_batch_size"], write=_largest),
    Figure("peak", _peak, "the most memory that this step takes"),
    Figure("limited by", _limit, "why it is no larger", justify="left"),
    figure_of(MAX_BATCH["trained_steps"]),
    Figure(
        "paper",
        _published,
        "the figure of arXiv 2106.06998, whose ReLUs keep a byte an element and not a bit",
    ),
)
_COSTS = (
    figure_of(FRONTIER["peak_bytes"], is_status=True),
    error_figure(FRONTIER["relative_error"]),
    figure_of(FRONTIER["floor_error"]),
    figure_of(FRONTIER["step_seconds"]),
    figure_of(FRONTIER["beaten_in_all_by"], heading="beaten by"),
)
_AVERAGE_ERRORS = (
    Figure("batch", _batch),
    figure_of(AGE["minibatch_count"], meaning=""),
    figure_of(_ERROR, write=_average_error),
    figure_of(_FLOOR),
    Figure(
        "over floor",
        _over_floor,
        "error over floor: 1 where the estimator adds nothing to that noise",
    ),
)
