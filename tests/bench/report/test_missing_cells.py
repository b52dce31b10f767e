"""A cell that an older version, a hand or a failure left empty takes no table and picture away."""

import io
from pathlib import Path
from typing import Any

import pytest
from full_tables import full_rows

from xconv_bench.report import pictures, tables
from xconv_bench.report.page.markdown import markdown_of
from xconv_bench.report.page.sheets import sheet_of
from xconv_bench.report.rows import Beside
from xconv_bench.results.reading import RecordedTable
from xconv_bench.results.recorded import RecordedRun
from xconv_bench.results.schema import TABLES

Row = dict[str, Any]
REQUIRED = {"model", "method", "status"}
"""Cells without which a row is damaged: reading refuses it."""


def shown(name: str, rows: list[Row], laws: list[Row]) -> str:
    """Return a table as a terminal and a page have it; its pictures are described, not drawn."""
    out = io.StringIO()
    beside = Beside(laws)
    if name in tables.DESCRIBED:
        tables.print_table(name, rows, beside, out)
    if name in pictures.DESCRIBED:
        list(pictures.DESCRIBED[name](rows, beside))
    sheet_of(TABLES[name], {"run": rows})
    recorded = RecordedTable(rows, b"", "")
    return out.getvalue() + markdown_of([RecordedRun("run", Path(), {name: recorded}, None)], [])


def without_first(rows: list[Row], column: str) -> list[Row]:
    """Return the rows with that cell of the first empty: a few filled cells ask more than none."""
    return [rows[0] | {column: None}, *rows[1:]]


def filled(rows: list[Row]) -> list[str]:
    """Return the columns of which cells can be taken away."""
    return [
        name for name in rows[0].keys() - REQUIRED if any(row[name] is not None for row in rows)
    ]


@pytest.mark.parametrize("name", TABLES)
def test_any_cell_may_be_empty(name: str) -> None:
    rows, laws = full_rows(TABLES[name]), full_rows(TABLES["variance_law"])
    for column in filled(rows):
        said = shown(name, without_first(rows, column), laws)
        assert f"{len(rows)} rows, {len(rows)} ok" in said, column


def test_laws_may_lack_any_cell() -> None:
    rows, laws = full_rows(TABLES["variance"]), full_rows(TABLES["variance_law"])
    for column in filled(laws):
        assert shown("variance", rows, [law | {column: None} for law in laws]), column
    nothing_asked = [law | {"target_ratio": None} for law in laws]
    assert "r for ≤ 1×" in shown("variance", rows, nothing_asked)
