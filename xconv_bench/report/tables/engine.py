"""Tables as descriptions: which figures are columns, and how a line writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from xconv_bench.naming import method_words
from xconv_bench.report.notes import notes_of
from xconv_bench.report.settings import Comparable, is_reference, number, settings_of
from xconv_bench.report.summary import Row
from xconv_bench.report.tables.terminal import Block, Printed, TextColumn, aligned
from xconv_bench.report.units import format_measured, format_ratio, formatter
from xconv_bench.report.words import status_words
from xconv_bench.results import schema
from xconv_bench.results.schema.column import Unit

LineType = TypeVar("LineType")


@dataclass(frozen=True)
class Figure(Generic[LineType]):
    """A column of a table that is printed.

    ``write`` makes the text of a line's cell, given the line of exact that it is compared with;
    ``mark`` is what stands below each other in the cells. Where several numbers of probes
    stand side by side, only a figure that ``is_essential`` is shown.
    """

    heading: str
    write: Callable[[LineType, LineType | None], str]
    meaning: str = ""
    mark: str = " ("
    justify: Literal["left", "right"] = "right"
    is_essential: bool = False

    def column(
        self, lines: Sequence[LineType | None], exact_of: ExactOf[LineType], heading: str = ""
    ) -> TextColumn:
        """Return its cells; that of a line that is None is empty."""
        cells = ["" if line is None else self._cell(line, exact_of(line)) for line in lines]
        text = aligned(cells, self.mark) if any(cells) else cells
        return TextColumn(heading or self.heading, text, self.justify, (self.heading, self.meaning))

    def _cell(self, line: LineType, exact: LineType | None) -> str:
        return self.write(line, None if exact is line else exact)


ExactOf = Callable[[LineType], LineType | None]
"""From a line to the one of exact, which is compared with no other."""


def no_exact(line: Any) -> None:
    """Compare a line with none: the table has ratios of its own, or none."""


def columns_of(
    figures: Iterable[Figure[LineType]], lines: Sequence[LineType], exact_of: ExactOf[LineType]
) -> list[TextColumn]:
    """Return the columns of the figures that any of the lines has."""
    columns = (figure.column(lines, exact_of) for figure in figures)
    return [column for column in columns if any(column.cells)]


def by_setting(
    rows: Sequence[Row],
    key: Sequence[str],
    figures: Sequence[Figure[Row]],
    lines_of: Callable[[Sequence[Row]], Sequence[Row]] = list,
) -> Printed:
    """Return a table for each setting, with a line for each method."""
    settings = settings_of(rows, key)
    return Printed(
        [methods_part(setting, lines_of(setting.rows), figures) for setting in settings],
        notes_of(settings),
    )


def methods_part(
    setting: Comparable, lines: Sequence[Row], figures: Sequence[Figure[Row]]
) -> Block:
    """Return the table of a setting, with a line for each method."""
    exact = next((row for row in lines if is_reference(row)), None)
    methods = TextColumn("method", [method_words(row) for row in lines], "left")
    return Block(setting.title, [methods], columns_of(figures, lines, lambda row: exact))


def figure_of(column: schema.Column, *, is_status: bool = False, **look: Any) -> Figure[Row]:
    """Return the figure that shows a column: its value, how well it is known, its ratio to exact.

    Where ``is_status`` and there is no value, the cell says how the row ended. ``look`` are fields
    of ``Figure``.
    """

    def write(row: Row, exact: Row | None) -> str:
        text = cell_words(column, row, exact)
        return text or (status_words(str(row["status"])) if is_status else "")

    usual = {
        "heading": column.heading,
        "write": write,
        "meaning": meaning_of(column),
        "mark": " (" if column.is_compared else " ±",
        "justify": "right" if column.is_number else "left",
    }
    return Figure(**{**usual, **look})


def error_figure(column: schema.Column, **look: Any) -> Figure[Row]:
    """Return the figure of an error that is ``exact`` where it is zero."""
    return figure_of(
        column,
        write=lambda row, _: "exact" if row[column.name] == 0 else cell_words(column, row, None),
        **look,
    )


def meaning_of(column: schema.Column) -> str:
    """Return what a column means, and what stands behind its figures."""
    if len(column.spread) == 1:
        return f"{column.meaning}; ± its standard error"
    return f"{column.meaning}; with its 95 % interval" if column.spread else column.meaning


def cell_words(column: schema.Column, row: Row, exact: Row | None) -> str:
    """Return ``338 MiB (0.79×)`` or ``0.41 ± 0.01``; nothing where the row has no value."""
    value = row[column.name]
    if not isinstance(value, int | float):
        return value or ""
    if column.is_compared:
        text = formatter(column, value)(value)
        return text + in_brackets(_ratio(column, row, exact))
    if column.unit is Unit.RELATIVE and value == 0 and column.better is None:
        return ""  # a floor of zero says nothing
    if column.kind is float and column.unit in (None, Unit.RELATIVE):
        error = number(row, column.spread[0]) if len(column.spread) == 1 else None
        return format_measured(value, error)
    return formatter(column, value)(value)


def in_brackets(ratio: float | None) -> str:
    """Return `` (0.79×)``; nothing where there is no ratio."""
    return "" if ratio is None else f" ({format_ratio(ratio)})"


def ratio_to(value: float, exact: float | None) -> float | None:
    """Return the ratio to a figure of exact; None where there is none, or it is 0."""
    return value / exact if exact else None


def _ratio(column: schema.Column, row: Row, exact: Row | None) -> float | None:
    """Return the ratio that the table has, such as a median over rounds, or else that of two."""
    if is_reference(row):
        return None
    if column.ratio is not None and column.ratio in row:
        return number(row, column.ratio)
    value = number(row, column.name)
    whole = None if exact is None else number(exact, column.name)
    return None if value is None else ratio_to(value, whole)
