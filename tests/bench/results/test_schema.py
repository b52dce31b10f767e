"""Each column is declared once, and everything that speaks of it follows from its declaration."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from run_directories import MEBIBYTE, MEMORY, XCONV, make_run, memory_row

from benchmarks import columns_page
from xconv_bench.report.page.comparison import compare
from xconv_bench.report.page.sheets import sheet_of
from xconv_bench.report.tables import print_table
from xconv_bench.results.recorded import read_runs
from xconv_bench.results.schema import TABLES
from xconv_bench.results.schema.column import Better, Column, Holds, Unit
from xconv_bench.results.table import Table
from xconv_bench.thresholds.baseline import why_not_comparable
from xconv_bench.thresholds.limit import Bounds, limits_of

SWAP = Column(
    "swap_peak_bytes", int, "swap peak", "the most that was swapped out", Unit.BYTES, Better.LESS,
    Holds.ON_ITS_MACHINE, is_added=True,
)  # fmt: skip
NO_SENTENCE = ("Of ", "That ", "Those ", "What ")


def test_a_new_column_is_one_declaration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read and written, printed, compared, held to limits and explained."""
    old = make_run(tmp_path / "old", memory=MEMORY)
    memory = TABLES["memory"]
    monkeypatch.setitem(TABLES, "memory", replace(memory, figures=(*memory.figures, SWAP)))
    cells = ((400, {}), (100, XCONV))
    rows = [memory_row(400, **knobs, swap_peak_bytes=n * MEBIBYTE) for n, knobs in cells]
    new = make_run(tmp_path / "new", memory=rows)

    table = Table(new / "memory.csv", TABLES["memory"]).rows()
    assert [row["swap_peak_bytes"] for row in table] == [400 * MEBIBYTE, 100 * MEBIBYTE]
    older = Table(old / "memory.csv", TABLES["memory"]).rows()
    assert [row["swap_peak_bytes"] for row in older] == [None, None]

    printed = io.StringIO()
    print_table("memory", table, file=printed)
    assert "swap peak" in printed.getvalue() and "100 MiB (0.25×)" in printed.getvalue()
    assert "the most that was swapped out" in printed.getvalue()

    sheet = sheet_of(TABLES["memory"], {"new": table})
    place = next(n for n, column in enumerate(sheet.columns) if column.name == SWAP.name)
    assert sheet.columns[place].heading == "swap peak"
    assert [line.cells[place].text for line in sheet.lines] == ["400 MiB", "100 MiB"]

    (limit,) = limits_of("memory", {}, SWAP.name, Bounds(max_regression="2%"), False)
    assert limit.demand == "swap_peak_bytes <= 1.02 * baseline"
    assert why_not_comparable(limit.column, "cpu", {"torch": "2.6"}, {"torch": "2.7"})
    assert "| `swap_peak_bytes` | the most that was swapped out | bytes |" in columns_page.page()


def test_the_page_of_columns_is_that_of_the_declarations() -> None:
    assert columns_page.PAGE.read_text() == columns_page.page()


@pytest.mark.parametrize("table", TABLES)
def test_tables_agree_on_the_columns_that_they_share(table: str) -> None:
    """The meaning of a column may differ, and how well it is known; the rest is the same."""
    own = {"heading": "", "meaning": "", "is_not": "", "spread": ()}
    for column in TABLES[table].columns:
        for other in TABLES.values():
            if column.name in other.names:
                assert replace(other[column.name], **own) == replace(column, **own)


@pytest.mark.parametrize("table", TABLES)
def test_what_says_how_well_a_figure_is_known_stands_behind_it(table: str) -> None:
    names = TABLES[table].names
    for place, column in enumerate(TABLES[table].columns):
        assert names[place + 1 : place + 1 + len(column.spread)] == column.spread
        for name in column.spread:
            doubt = TABLES[table][name]
            assert doubt.is_number and doubt.better is None
            assert (doubt.unit, doubt.holds) == (column.unit, column.holds)


@pytest.mark.parametrize("table", TABLES)
def test_every_column_has_a_heading_and_a_meaning_of_its_own(table: str) -> None:
    schema = TABLES[table]
    for column in schema.columns:
        assert column.heading and len(column.meaning) > 5
        assert not f"{column.meaning} ".capitalize().startswith(NO_SENTENCE), column.meaning
        assert not column.meaning.endswith(".")
    headings = [column.heading for column in schema.columns]
    assert len(set(headings)) == len(headings)


@pytest.mark.parametrize("table", TABLES)
def test_units_are_those_of_the_names(table: str) -> None:
    """Users read the names in CSV files: a column in bytes or seconds says so in its own."""
    for column in TABLES[table].columns:
        words = column.name.split("_")
        assert ("bytes" in words) == (column.unit is Unit.BYTES), column.name
        assert ("seconds" in words) == (column.unit is Unit.SECONDS), column.name


@pytest.mark.parametrize("table", TABLES)
def test_what_matters_most_is_in_the_table(table: str) -> None:
    schema = TABLES[table]
    reported = {"gap"} if table == "training" else set()
    assert set(schema.main) <= set(schema.names) | reported
    assert set(schema.inner) <= set(schema.key)


@pytest.mark.parametrize(
    ("table", "column", "is_relative"),
    [("age", "average_gradient_error", False), ("error", "relative_error", True)],
)
def test_only_a_relative_error_can_be_that_of_rounding(
    tmp_path: Path, table: str, column: str, is_relative: bool
) -> None:
    """Squared distances of small networks are far below 1e-6, and doubling them is a change."""
    key = {"model": "net", "method": "xconv", "scheme": "multi", "layer": "all", "status": "ok"}
    runs = [
        make_run(tmp_path / name, **{table: [{**key, column: value}]})
        for name, value in (("a", 2e-8), ("b", 4e-8))
    ]
    (change,) = compare(read_runs(runs)[0]).changes
    assert change.ratios == [None, 1.0 if is_relative else 2.0]
