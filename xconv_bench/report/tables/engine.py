"""Tables as descriptions: which figures are columns, how a line writes them, what is a line."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from xconv_bench.naming import dial_words, method_words
from xconv_bench.report.rows import (
    Beside,
    Comparable,
    Row,
    by_estimator,
    by_layer,
    is_reference,
    notes_of,
    number,
    of_network,
    reference_in,
    settings_of,
)
from xconv_bench.report.tables.terminal import Block, Printed, TextColumn, aligned
from xconv_bench.report.words import ended, format_measured, format_ratio, formatter
from xconv_bench.results.schema import ALL_LAYERS, Cell, Column, Schema
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


def columns_of(
    figures: Iterable[Figure[LineType]],
    lines: Sequence[LineType],
    exact_of: ExactOf[LineType] = lambda line: None,
) -> list[TextColumn]:
    """Return the columns of the figures that any of the lines has.

    Without ``exact_of`` lines are compared with none: the table has ratios of its own, or none.
    """
    columns = (figure.column(lines, exact_of) for figure in figures)
    return [column for column in columns if any(column.cells)]


DescribeTable = Callable[[Sequence[Row], Beside], Printed]
"""From the rows of a table, and what stands beside them, to what is printed of them."""


def by_setting(
    schema: Schema,
    figures: Sequence[Figure[Row]],
    lines_of: Callable[[Sequence[Row]], Sequence[Row]] = list,
) -> DescribeTable:
    """Return a description with a table for each setting, and a line for each method."""

    def describe(rows: Sequence[Row], beside: Beside) -> Printed:
        settings = settings_of(rows, schema.key)
        parts = [methods_part(setting, lines_of(setting.rows), figures) for setting in settings]
        return Printed(parts, notes_of(settings))

    return describe


def methods_part(
    setting: Comparable, lines: Sequence[Row], figures: Sequence[Figure[Row]]
) -> Block:
    """Return the table of a setting, with a line for each method."""
    exact = reference_in(lines)
    methods = TextColumn("method", [method_words(row) for row in lines], "left")
    return Block(setting.title, [methods], columns_of(figures, lines, lambda row: exact))


def figure_of(column: Column, *, is_status: bool = False, **look: Any) -> Figure[Row]:
    """Return the figure that shows a column: its value, how well it is known, its ratio to exact.

    Where ``is_status`` and there is no value, the cell says how the row ended. ``look`` are fields
    of ``Figure``.
    """

    def write(row: Row, exact: Row | None) -> str:
        text = cell_words(column, row, exact)
        return text or (ended(row) if is_status else "")

    usual = {
        "heading": column.heading,
        "write": write,
        "meaning": meaning_of(column),
        "mark": " (" if column.is_compared else " ±",
        "justify": "right" if column.is_number else "left",
    }
    return Figure(**{**usual, **look})


def error_figure(column: Column, **look: Any) -> Figure[Row]:
    """Return the figure of an error that is ``exact`` where it is zero."""
    return figure_of(
        column,
        write=lambda row, _: "exact" if row[column.name] == 0 else cell_words(column, row, None),
        **look,
    )


def meaning_of(column: Column) -> str:
    """Return what a column means, and what stands behind its figures."""
    if len(column.spread) == 1:
        return f"{column.meaning}; ± its standard error"
    return f"{column.meaning}; with its 95 % interval" if column.spread else column.meaning


def cell_words(column: Column, row: Row, exact: Row | None) -> str:
    """Return ``338 MiB (0.79×)`` or ``0.41 ± 0.01``; nothing where the row has no value."""
    value = row[column.name]
    if not isinstance(value, int | float):
        return value or ""
    if column.is_compared:
        text = formatter(column, value)(value)
        return text + in_brackets(ratio_of(column, row, exact))
    if column.unit is Unit.RELATIVE and value == 0 and column.better is None:
        return ""  # a floor of zero says nothing
    if column.kind is float and column.unit in (None, Unit.RELATIVE):
        error = number(row, column.spread[0]) if len(column.spread) == 1 else None
        return format_measured(value, error)
    return formatter(column, value)(value)


def compared(
    value_of: Callable[[LineType], float | None],
    write: Callable[[float], str],
    missing: Callable[[LineType], str] = lambda line: "",
) -> Callable[[LineType, LineType | None], str]:
    """Return what writes a value of a line and its ratio to that of exact, or what is missing."""

    def words(line: LineType, exact: LineType | None) -> str:
        value = value_of(line)
        if value is None:
            return missing(line)
        whole = None if exact is None else value_of(exact)
        return write(value) + in_brackets(ratio_to(value, whole))

    return words


def in_brackets(ratio: float | None) -> str:
    """Return `` (0.79×)``; nothing where there is no ratio."""
    return "" if ratio is None else f" ({format_ratio(ratio)})"


def ratio_to(value: float, exact: float | None) -> float | None:
    """Return the ratio to a figure of exact; None where there is none, or it is 0."""
    return value / exact if exact else None


def ratio_of(column: Column, row: Row, exact: Row | None) -> float | None:
    """Return the ratio that the table has, such as a median over rounds, or else that of two."""
    if is_reference(row):
        return None
    if column.ratio is not None and row.get(column.ratio) is not None:
        return number(row, column.ratio)
    value = number(row, column.name)
    whole = None if exact is None else number(exact, column.name)
    return None if value is None else ratio_to(value, whole)


LayerRows = dict[str, list[Row]]
"""The rows of each layer, by its name."""


def gradient_parts(
    settings: Sequence[Comparable],
    figures: Sequence[Figure[Row]],
    layers: Sequence[str] | None,
    is_left_out: Callable[[Sequence[Row]], bool],
    more: Callable[[LayerRows], Sequence[TextColumn]] = lambda lines: (),
) -> Iterator[Block]:
    """Yield for each setting the whole network, and for each estimator a table with its layers.

    Only ``layers`` are shown where they are given. An estimator ``is_left_out`` by its rows;
    ``more`` makes the columns that stand behind the figures of its layers.
    """
    for setting in settings:
        yield methods_part(setting, of_network(setting.rows), figures)
        exact = {row["layer"]: row for row in setting.rows if is_reference(row)}
        for name, rows in by_estimator(setting.rows).items():
            lines = by_layer(rows, layers)
            if lines.keys() == {ALL_LAYERS} or is_left_out(rows):
                continue
            columns = _layer_columns(figures, lines.values(), exact)
            names = TextColumn("layer", list(lines), "left")
            yield Block(f"{name}, layer by layer", [names], [*columns, *more(lines)])


def _layer_columns(
    figures: Sequence[Figure[Row]], lines: Collection[Sequence[Row]], exact: Mapping[Cell, Row]
) -> Iterator[TextColumn]:
    """Yield all figures of a single number of probes, and the essential ones of each of several.

    ``lines`` are the rows of one layer each. Every dial is treated as probes are.
    """
    dials = dict.fromkeys(dial_words(row) for rows in lines for row in rows)
    for figure in figures:
        if len(dials) > 1 and not figure.is_essential:
            continue
        for dial in dials:
            rows = [next((r for r in line if dial_words(r) == dial), None) for line in lines]
            heading = f"{figure.heading} {dial}" if len(dials) > 1 else figure.heading
            column = figure.column(rows, lambda row: exact.get(row["layer"]), heading)
            if any(column.cells):
                yield column
