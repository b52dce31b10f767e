"""Rows of the same key in several runs."""

from math import inf
from pathlib import Path

import pytest
from run_directories import MEMORY, XCONV, error_row, make_run, memory_row

from xconv_bench.report.canvas import draw
from xconv_bench.report.page.comparison import Comparison, compare
from xconv_bench.report.pictures.ratios import Changed, comparison
from xconv_bench.results.recorded import read_runs
from xconv_bench.results.schema import Cell


def compared(tmp_path: Path, *tables: list[dict[str, Cell]], name: str = "memory") -> Comparison:
    runs = [make_run(tmp_path / str(n), **{name: rows}) for n, rows in enumerate(tables)]
    return compare(read_runs(runs)[0])


def test_the_largest_change_comes_first(tmp_path: Path) -> None:
    second = [memory_row(800), memory_row(330, **XCONV)]
    found = compared(tmp_path, MEMORY, second, [memory_row(100)])
    first, then, *rest = found.changes
    assert (first.figure, first.method, first.ratios) == ("live peak", "exact", [None, 2.0, 0.25])
    assert first.texts == ["400 MiB", "800 MiB", "100 MiB"]
    assert then.ratios == [None, pytest.approx(1.1), None]
    assert all(change.size == 0 for change in rest)
    assert found.count == 2 and found.unmatched == 0


def test_another_outcome_is_the_largest_change(tmp_path: Path) -> None:
    change, *_ = compared(tmp_path, [memory_row(400)], [memory_row(None)]).changes
    assert (change.figure, change.texts, change.size) == ("outcome", ["ok", "out of memory"], inf)


def test_rows_without_a_counterpart(tmp_path: Path) -> None:
    found = compared(tmp_path, MEMORY, [memory_row(400), memory_row(1, model="vgg11")])
    assert found.unmatched == 2 and {change.method for change in found.changes} == {"exact"}


def test_rounding_is_no_change(tmp_path: Path) -> None:
    first, second = [error_row(1e-16, **XCONV)], [error_row(9e-9, **XCONV)]
    assert compared(tmp_path, first, second, name="error").count == 0


def test_an_error_out_of_nothing(tmp_path: Path) -> None:
    first, second = [error_row(0.0, **XCONV)], [error_row(0.3, **XCONV)]
    change, *_ = compared(tmp_path, first, second, name="error").changes
    assert (change.ratios, change.size) == ([None, None], inf)


def test_the_picture(tmp_path: Path) -> None:
    changes = [Changed("peak of $x$ <b>", "#0072b2", [0.5]), Changed("step", "#0072b2", [1e5])]
    paths = draw(comparison(changes, ["a", "b"]), tmp_path)
    assert [path.name for path in paths] == ["comparison.png", "comparison.svg"]
    assert "peak of $x$ &lt;b&gt;" in paths[1].read_text()
    assert list(comparison([Changed("step", "#0072b2", [None])], ["a", "b"])) == []
