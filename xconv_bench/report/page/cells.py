"""Cells of the tables in words: values with their units, and how well they are known."""

from collections.abc import Callable, Iterable, Mapping

from xconv_bench.report.units import format_measured, formatter
from xconv_bench.report.words import status_words
from xconv_bench.results.schema import Cell, Column, Schema
from xconv_bench.results.schema.training import GAP

Write = Callable[[Mapping[str, Cell]], str]
"""From a row to the text of one of its cells."""

_BESIDE = {
    column.name: column for column in (GAP, Column("run", str, "run", "run that the row is from"))
}
"""Columns that reports add to those of the tables."""


def column_of(schema: Schema, name: str) -> Column:
    """Return a column of a table, or one that reports add, by its name."""
    return _BESIDE[name] if name in _BESIDE else schema[name]


def writer(column: Column, rows: Iterable[Mapping[str, Cell]]) -> Write:
    """Return how to write the cells of a column, all in one unit: that of the largest."""
    values = [row.get(column.name) for row in rows]
    largest = max((value for value in values if isinstance(value, int | float)), default=0)
    format_number = formatter(column, largest)

    def write(row: Mapping[str, Cell]) -> str:
        value = row.get(column.name)
        if value is None:
            return ""
        if isinstance(value, str):
            return status_words(value) if column.name == "status" else value
        spread = [row.get(name) for name in column.spread]
        known = [each for each in spread if isinstance(each, int | float)]
        if len(known) == 2:
            low, high = known
            return f"{format_number(value)} ({format_number(low)} to {format_number(high)})"
        if len(known) == len(spread) == 1 and not isinstance(value, int):
            return format_measured(value, known[0])
        return format_number(value)

    return write
