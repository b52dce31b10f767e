"""A table as a page shows it: what is the same in all rows once, and the rest row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xconv_bench.configuration import KNOBS
from xconv_bench.report.canvas import style
from xconv_bench.report.page.cells import DOUBTS, heading, writer
from xconv_bench.report.page.kinds import Kind, name_of
from xconv_bench.report.summary import Row
from xconv_bench.results.columns import ALL_LAYERS, Cell
from xconv_bench.results.run_directory import TABLES

MOST_ROWS = 300
"""Rows of a table that a page shows; its download holds all."""

_METHOD = ("method", *KNOBS)
_ALWAYS = ("status", "message")
_LONG_TEXT = 140


@dataclass(frozen=True)
class Column:
    """``name`` is the column of the CSV file, or what stands for several of them."""

    name: str
    heading: str
    is_number: bool


@dataclass(frozen=True)
class SheetCell:
    """``sort`` is the value as the CSV file has it; ``is_long`` where it takes several lines."""

    text: str
    sort: str
    is_long: bool = False


@dataclass(frozen=True)
class Line:
    """A row; ``colour`` is that of its method, in pictures too.

    ``has_failed`` where it is not ok. ``reason`` stands in the place of the cells after the last,
    where none of these has anything else to say.
    """

    cells: list[SheetCell]
    colour: str
    has_failed: bool
    reason: str | None


@dataclass(frozen=True)
class Sheet:
    """``same`` are headings and values that hold for all rows; ``count`` is how many there are."""

    columns: list[Column]
    lines: list[Line]
    same: list[tuple[str, str]]
    count: int
    remark: str


def sheet_of(kind: Kind, rows_by_run: Mapping[str, Sequence[Row]]) -> Sheet:
    """The rows of all runs; with several runs each says whose it is."""
    rows: list[Row] = [{"run": name, **row} for name, some in rows_by_run.items() for row in some]
    shown, remark = _selected(kind, rows)
    used = [name for name in TABLES[kind.name][0] if any(row[name] is not None for row in rows)]
    same = [name for name in used if _is_same(kind, name, rows)]
    own = [name for name in used if _is_shown(name, used) and name not in same]
    run = ["run"] if len(rows_by_run) > 1 else []
    columns = [*run, "method", *_ordered(kind, own, rows)]
    return Sheet(
        [Column(name, heading(name), _is_number(name, rows)) for name in columns],
        _lines(shown, columns, rows),
        [(heading(name), _said(name, rows)) for name in same],
        len(rows),
        remark,
    )


def _selected(kind: Kind, rows: Sequence[Row]) -> tuple[Sequence[Row], str]:
    if len(rows) <= MOST_ROWS:
        return rows, ""
    whole = "layer" in kind.key
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


def _is_same(kind: Kind, name: str, rows: Sequence[Row]) -> bool:
    if name in _METHOD or name in _ALWAYS or name.endswith(DOUBTS):
        return False
    if name in kind.key:
        return len({row[name] for row in rows}) == 1
    # A row that failed early does not know every fact: that is no difference.
    known = {row[name] for row in rows if row["status"] == "ok" or row[name] is not None}
    return len(known) == 1 and len(rows) > 1 and name not in kind.figures


def _is_shown(name: str, used: Sequence[str]) -> bool:
    """Whether it has a column of its own."""
    if name in _METHOD or name in _ALWAYS:
        return False
    return not any(name.endswith(end) and name.removesuffix(end) in used for end in DOUBTS)


def _said(name: str, rows: Sequence[Row]) -> str:
    return next(text for row in rows if (text := writer(name, [row])(row)))


def _ordered(kind: Kind, names: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """What tells a row from others, how it ended, its figures, and what there is to say."""
    has_failures = any(row["status"] != "ok" for row in rows)
    has_messages = any(row["message"] for row in rows)
    return [
        *(name for name in names if name in kind.key),
        *(["status"] if has_failures else []),
        *(name for name in names if name not in kind.key),
        *(["message"] if has_messages else []),
    ]


def _is_number(name: str, rows: Sequence[Row]) -> bool:
    return any(isinstance(row.get(name), int | float) for row in rows)


def _lines(shown: Sequence[Row], columns: Sequence[str], rows: Sequence[Row]) -> list[Line]:
    write = {name: writer(name, rows) for name in columns}
    ranks = _ranks(shown)
    lines = []
    for row in shown:
        cells = []
        for name in columns:
            if name == "method":
                cells.append(SheetCell(name_of(row), str(ranks[_method(row)])))
                continue
            text = write[name](row)
            cells.append(SheetCell(text, _sort(name, row), len(text) > _LONG_TEXT))
        has_failed = row["status"] != "ok"
        reason = None
        if has_failed:
            cells, reason = _shortened(cells, columns, row)
        lines.append(Line(cells, style.shades(str(row["method"])).dark, has_failed, reason))
    return lines


def _ranks(rows: Sequence[Row]) -> dict[tuple[tuple[Cell, ...], ...], int]:
    """Methods in the order of their names and of the values of their knobs."""
    return {method: rank for rank, method in enumerate(sorted({_method(row) for row in rows}))}


def _method(row: Row) -> tuple[tuple[Cell, ...], ...]:
    # A knob that a method does not have comes before any of its values.
    values = (row.get(name) for name in _METHOD)
    return tuple(() if value is None else (value,) for value in values)


def _shortened(
    cells: list[SheetCell], columns: Sequence[str], row: Row
) -> tuple[list[SheetCell], str | None]:
    """Without the cells after the status where there is no figure: the reason stands there."""
    end = columns.index("status") + 1
    rest = [cell for cell, name in zip(cells, columns, strict=True) if name != "message"][end:]
    if end == len(columns) or any(cell.text for cell in rest):
        return cells, None
    return cells[:end], str(row["message"] or "")


def _sort(name: str, row: Row) -> str:
    value: Cell = row.get(name)
    return repr(value) if isinstance(value, int | float) else ""
