"""The rows of ``runtime.csv`` as a table for people, and where a method is quicker than exact."""

from collections.abc import Iterator, Mapping, Sequence
from typing import IO

from xconv_bench.naming import method_words
from xconv_bench.report.settings import is_reference, notes_of, number, settings_of
from xconv_bench.report.summary import Row, grouped
from xconv_bench.report.tables.engine import Figure, columns_of, figure_of, no_exact
from xconv_bench.report.tables.terminal import Block, Printed, TextColumn, print_tables
from xconv_bench.report.units import format_ratio
from xconv_bench.report.words import HEADINGS, phrases
from xconv_bench.results.schema import Cell
from xconv_bench.results.schema.runtime import RUNTIME

_SHAPE = tuple(HEADINGS)


def print_runtime_table(rows: Sequence[Row], file: IO[str] | None = None) -> None:
    """Print a line for each shape and method; below, for each method, where it wins."""
    print_tables(_described(rows), file)


def is_win(row: Row) -> bool:
    """Return whether a step is quicker than the exact one by the whole interval of its ratio."""
    high = number(row, "step_ratio_high")
    return high is not None and high < 1


def wins(rows: Sequence[Row]) -> Iterator[str]:
    """Yield a line for each method with its knobs: in how many shapes it wins, and in which."""
    measured = [row for row in rows if number(row, "step_ratio") is not None]
    methods = grouped(measured, method_words)
    names = [name for name in _SHAPE if len({row[name] for row in rows}) > 1]
    for method, some in methods.items():
        won = [row for row in some if is_win(row)]
        where = "; ".join(phrases({name: row[name] for name in names}) for row in won)
        count = f"{method} is quicker than exact in {len(won)} of {len(some)} shapes"
        yield f"{count}: {where}" if where else count


def identity_of(rows: Sequence[Mapping[str, Cell]], methods: Sequence[str]) -> Iterator[TextColumn]:
    """Yield what tells one line from another: what describes a setting and differs, the method."""
    for name in _SHAPE:
        values = [row[name] for row in rows]
        if len({value for value in values if value is not None}) > 1:
            column = RUNTIME[name]
            cells = ["" if value is None else str(value) for value in values]
            yield TextColumn(column.heading, cells, "right" if column.is_number else "left")
    yield TextColumn("method", list(methods), "left")


def _described(rows: Sequence[Row]) -> Printed:
    if not rows:
        return Printed([])
    identity = list(identity_of(rows, [method_words(row) for row in rows]))
    part = Block(phrases(_common(rows)), identity, columns_of(_FIGURES, rows, no_exact))
    notes = notes_of(settings_of(rows, RUNTIME.key))
    return Printed([part], notes, [_RATIO_MEANING], list(wins(rows)))


def _common(rows: Sequence[Row]) -> dict[str, Cell]:
    values = {
        name: {row[name] for row in rows if row[name] is not None} for name in (*_SHAPE, "rounds")
    }
    return {name: found.pop() for name, found in values.items() if len(found) == 1}


def _interval(row: Row, _: Row | None) -> str:
    ratio = number(row, "step_ratio")
    low, high = number(row, "step_ratio_low"), number(row, "step_ratio_high")
    if ratio is None or is_reference(row):
        return ""
    bounds = "" if low is None or high is None else f" ({low:.2f} to {high:.2f})"
    return format_ratio(ratio) + bounds


_RATIO_MEANING = (
    "(×)",
    "the median ratio to exact in the same round, with its 95 % interval for the step",
)
_FIGURES = (
    figure_of(RUNTIME["forward_seconds"], meaning=RUNTIME["forward_seconds"].meaning),
    figure_of(RUNTIME["backward_seconds"], meaning=RUNTIME["backward_seconds"].meaning),
    figure_of(RUNTIME["step_seconds"], is_status=True, meaning=RUNTIME["step_seconds"].meaning),
    Figure("step ratio", _interval, mark="× ("),
)
