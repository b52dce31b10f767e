"""A table as a page shows it: what is the same in all rows once, and the rest row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xconv_bench.knobs import KNOBS
from xconv_bench.report.canvas import style
from xconv_bench.report.page.figures import column_of, name_of, writer
from xconv_bench.report.rows import Row
from xconv_bench.results.schema import ALL_LAYERS, Cell, Column, Schema

MOST_ROWS = 300
"""Rows of a table that a page shows; its download holds all."""

_METHOD = ("method", *KNOBS)
_ALWAYS = ("status", "message")
_LONG_TEXT = 140


@dataclass(frozen=True)
class SheetCell:
    """``sort`` is the value as the CSV file has it; ``is_long`` where it takes several lines."""

    text: str
    sort: str
    is_long: bool = False


@dataclass(frozen=True)
class SheetLine:
    """A row, in the ``colour`` that its method has in pictures.

    ``has_failed`` where it is not ok. ``reason`` stands in the place of the cells after the last,
    where none of these has anything else to say.
    """

    cells: list[SheetCell]
    colour: str
    has_failed: bool
    reason: str | None


@dataclass(frozen=True)
class Sheet:
    """The columns and lines of a table, and headings and values that are the ``same`` in all."""

    columns: list[Column]
    lines: list[SheetLine]
    same: list[tuple[str, str]]
    count: int
    remark: str


def sheet_of(schema: Schema, rows_by_run: Mapping[str, Sequence[Row]]) -> Sheet:
    """Return the rows of all runs; with several runs each says whose it is."""
    rows: list[Row] = [{"run": name, **row} for name, some in rows_by_run.items() for row in some]
    shown, remark = _selected(schema, rows)
    used = [each for each in schema.columns if any(row[each.name] is not None for row in rows)]
    doubts = {name for each in schema.columns for name in each.spread}
    told = [each for each in used if each.name not in (*_METHOD, *_ALWAYS, *doubts)]
    same = [each for each in told if _is_same(schema, each.name, rows)]
    own = [each.name for each in told if each not in same]
    run = ["run"] if len(rows_by_run) > 1 else []
    names = [*run, "method", *_ordered(schema, own, rows)]
    columns = [column_of(schema, name) for name in names]
    return Sheet(
        columns,
        _lines(shown, columns, rows),
        [(each.heading, _said(each, rows)) for each in same],
        len(rows),
        remark,
    )


def _selected(schema: Schema, rows: Sequence[Row]) -> tuple[Sequence[Row], str]:
    if len(rows) <= MOST_ROWS:
        return rows, ""
    whole = "layer" in schema.key
    # Sorting is stable: within these, rows stay in the order of the file.
    ordered = sorted(
        rows, key=lambda row: (row["status"] == "ok", whole and row["layer"] != ALL_LAYERS)
    )
    first = [
        *(["those that failed"] if any(row["status"] != "ok" for row in rows) else []),
        *(["those of whole networks"] if whole else []),
    ]
    order = f" (first {', then '.join(first)})" if first else ""
    return ordered[:MOST_ROWS], (
        f"{MOST_ROWS} of {len(rows):,} rows are shown{order}; the download holds all."
    )


def _is_same(schema: Schema, name: str, rows: Sequence[Row]) -> bool:
    if name in schema.key:
        return len({row[name] for row in rows}) == 1
    # A row that failed early does not know every fact: that is no difference.
    known = {row[name] for row in rows if row["status"] == "ok" or row[name] is not None}
    return len(known) == 1 and len(rows) > 1 and name not in schema.main


def _said(column: Column, rows: Sequence[Row]) -> str:
    return next(text for row in rows if (text := writer(column, [row])(row)))


def _ordered(schema: Schema, names: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """Order columns: the key, how a row ended, its figures, and what there is to say."""
    has_failures = any(row["status"] != "ok" for row in rows)
    has_messages = any(row["message"] for row in rows)
    return [
        *(name for name in names if name in schema.key),
        *(["status"] if has_failures else []),
        *(name for name in names if name not in schema.key),
        *(["message"] if has_messages else []),
    ]


def _lines(shown: Sequence[Row], columns: Sequence[Column], rows: Sequence[Row]) -> list[SheetLine]:
    write = [(column.name, writer(column, rows)) for column in columns]
    ranks = _ranks(shown)
    lines = []
    for row in shown:
        cells = []
        for name, write_cell in write:
            if name == "method":
                cells.append(SheetCell(name_of(row), str(ranks[_method(row)])))
                continue
            text = write_cell(row)
            cells.append(SheetCell(text, _sort(name, row), len(text) > _LONG_TEXT))
        has_failed = row["status"] != "ok"
        reason = None
        if has_failed:
            cells, reason = _shortened(cells, [column.name for column in columns], row)
        lines.append(SheetLine(cells, style.shades(str(row["method"])).dark, has_failed, reason))
    return lines


def _ranks(rows: Sequence[Row]) -> dict[tuple[tuple[Cell, ...], ...], int]:
    """Rank methods in the order of their names and of the values of their knobs."""
    return {method: rank for rank, method in enumerate(sorted({_method(row) for row in rows}))}


def _method(row: Row) -> tuple[tuple[Cell, ...], ...]:
    # A knob that a method does not have comes before any of its values.
    values = (row.get(name) for name in _METHOD)
    return tuple(() if value is None else (value,) for value in values)


def _shortened(
    cells: list[SheetCell], columns: Sequence[str], row: Row
) -> tuple[list[SheetCell], str | None]:
    """Leave out the cells after the status where there is no figure: the reason stands there."""
    end = columns.index("status") + 1
    rest = [cell for cell, name in zip(cells, columns, strict=True) if name != "message"][end:]
    if end == len(columns) or any(cell.text for cell in rest):
        return cells, None
    return cells[:end], str(row["message"] or "")


def _sort(name: str, row: Row) -> str:
    value: Cell = row.get(name)
    return repr(value) if isinstance(value, int | float) else ""
