"""The floor of errors stands beside them where it is not zero."""

import io
from typing import Any

import pytest
from gradient_rows import error_row, estimated

from xconv_bench.report.tables import print_table
from xconv_bench.results.schema import TABLES


def printed(table: str, rows: list[dict[str, Any]]) -> str:
    file = io.StringIO()
    print_table(table, rows, file=file)
    return file.getvalue()


def error_rows(floor: float) -> list[dict[str, Any]]:
    return [estimated("multi", 8, layer, 0.5, 100, floor_error=floor) for layer in ("first", "all")]


def other_rows(columns: tuple[str, ...], floor: float, **cells: Any) -> list[dict[str, Any]]:
    known = {column: value for column, value in error_row().items() if column in columns}
    return [{**dict.fromkeys(columns), **known, **cells, "floor_error": floor}]


@pytest.mark.parametrize("floor", [0.0, 0.0123])
def test_the_floor_is_shown_where_there_is_one(floor: float) -> None:
    memory = other_rows(TABLES["memory"].names, floor, gradient_relative_error=0.5)
    frontier = other_rows(TABLES["frontier"].names, floor, relative_error=0.5, peak_bytes=100)
    for text in (
        printed("error", error_rows(floor)),
        printed("memory", memory),
        printed("frontier", frontier),
    ):
        assert "0.5" in text
        assert ("floor" in text) == ("0.012" in text) == bool(floor)
        assert ("distance of the exact gradient from itself" in text) == bool(floor)
