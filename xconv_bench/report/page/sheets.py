"""A table as a page shows it: what is the same in all rows once, and the rest row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xconv_bench.configuration import KNOBS
from xconv_bench.report import style
from xconv_bench.report.page.cells import DOUBTS, heading, writer
from xconv_bench.report.page.kinds import Kind
from xconv_bench.report.summary import Row
from xconv_bench.report.words import method_words, status_words
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
    """A row; ``colour`` is that of its method, in pictures too. ``failure`` is empty where ok."""

    cells: list[SheetCell]
    colour: str
    failure: str


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
    shown, remark = _selected(rows)
    used = [name for name in TABLES[kind.name][0] if any(row[name] is not None for row in rows)]
    same = [name for name in used if _is_same(kind, name, rows)]
    columns = [
        *(["run"] if len(rows_by_run) > 1 else []),
        "method",
        *(name for name in used if _is_shown(name, used) and name not in same),
    ]
    columns = _with_status(columns, rows)
    return Sheet(
        [Column(name, heading(name), _is_number(name, rows)) for name in columns],
        _lines(shown, columns, rows),
        [(heading(name), writer(name, rows[:1])(rows[0])) for name in same],
        len(rows),
        remark,
    )


def _selected(rows: Sequence[Row]) -> tuple[Sequence[Row], str]:
    if len(rows) <= MOST_ROWS:
        return rows, ""
    # Sorting is stable: within these, rows stay in the order of the file.
    ordered = sorted(
        rows, key=lambda row: (row["status"] == "ok", row.get("layer", ALL_LAYERS) != ALL_LAYERS)
    )
    return ordered[:MOST_ROWS], (
        f"{MOST_ROWS} of {len(rows):,} rows are shown, first those that failed, then those of "
        "whole networks; the download holds all."
    )


def _is_same(kind: Kind, name: str, rows: Sequence[Row]) -> bool:
    if name in _METHOD or name in _ALWAYS or name.endswith(DOUBTS):
        return False
    if len(rows) == 1 and name not in kind.key:
        return False
    return len({row[name] for row in rows}) == 1 and name not in kind.figures


def _is_shown(name: str, used: Sequence[str]) -> bool:
    """Whether it has a column of its own."""
    if name in _METHOD or name in _ALWAYS:
        return False
    return not any(name.endswith(end) and name.removesuffix(end) in used for end in DOUBTS)


def _with_status(columns: Sequence[str], rows: Sequence[Row]) -> list[str]:
    has_failures = any(row["status"] != "ok" for row in rows)
    has_messages = any(row["message"] for row in rows)
    place = columns.index("method") + 1
    state = ["status"] if has_failures else []
    return [*columns[:place], *state, *columns[place:], *(["message"] if has_messages else [])]


def _is_number(name: str, rows: Sequence[Row]) -> bool:
    return any(isinstance(row.get(name), int | float) for row in rows)


def _lines(shown: Sequence[Row], columns: Sequence[str], rows: Sequence[Row]) -> list[Line]:
    write = {name: writer(name, rows) for name in columns}
    lines = []
    for row in shown:
        failure = "" if row["status"] == "ok" else status_words(str(row["status"]))
        cells = []
        for name in columns:
            text = method_words(row) if name == "method" else write[name](row)
            cells.append(SheetCell(text, _sort(name, row), len(text) > _LONG_TEXT))
        lines.append(Line(cells, style.shades(str(row["method"])).dark, failure))
    return lines


def _sort(name: str, row: Row) -> str:
    value: Cell = row.get(name)
    return repr(value) if isinstance(value, int | float) else ""
