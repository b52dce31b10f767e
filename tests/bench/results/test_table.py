"""The table keeps whole rows, one for each key, and explains every file that it cannot use."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest

from xconv_bench.configuration import MemoryConfiguration
from xconv_bench.errors import BenchError
from xconv_bench.results.schema import TABLES, Cell
from xconv_bench.results.table import Table

XCONV = MemoryConfiguration("resnet50", "xconv", "multi", 8, "rademacher", "relu,pool", seed=7)


def row(configuration: MemoryConfiguration = XCONV, **cells: Cell) -> dict[str, Cell]:
    return {**configuration.key, "status": "ok", **cells}


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path / "memory.csv", TABLES["memory"])


def refusal(table: Table) -> str:
    """The one line with which reading and writing are both refused; the file stays as it is."""
    lines = set()
    before = table.path.read_bytes() if table.path.is_file() else None
    for use in (table.rows, lambda: table.put(row())):
        with pytest.raises(BenchError) as refused:
            use()
        lines.add(str(refused.value))
    assert before is None or table.path.read_bytes() == before
    (line,) = lines
    assert "\n" not in line
    assert str(table.path) in line
    return line


def test_there_is_no_file_before_the_first_row(table: Table) -> None:
    assert table.rows() == []
    assert not table.path.exists()


def test_rows_come_back_as_they_were(table: Table) -> None:
    exact = row(MemoryConfiguration("resnet50"), saved_bytes=3, step_seconds=0.1)
    probed = row(message="two\nlines, and a comma")
    table.put(exact)
    table.put(probed)

    empty: dict[str, Cell] = dict.fromkeys(TABLES["memory"].names)
    assert table.rows() == [
        {**empty, **exact},
        {**empty, **probed, "message": "two lines, and a comma"},
    ]
    assert table.path.read_text().count("model,method") == 1


@pytest.mark.parametrize("configuration", [XCONV, MemoryConfiguration("m")], ids=["knobs", "none"])
def test_the_key_read_back_is_that_of_the_configuration(
    table: Table, configuration: MemoryConfiguration
) -> None:
    table.put(row(configuration))
    (read,) = table.rows()
    assert {column: read[column] for column in TABLES["memory"].key} == configuration.key
    assert table.find(configuration.key) == read
    assert table.find(MemoryConfiguration("other").key) is None


def test_a_row_with_the_same_key_takes_the_place_of_the_old_one(table: Table) -> None:
    other = MemoryConfiguration("resnet50")
    table.put(row(status="error", message="bad luck"))
    table.put(row(other))
    table.put(row(saved_bytes=5))

    first, second = table.rows()
    assert (first["status"], first["message"], first["saved_bytes"]) == ("ok", None, 5)
    assert table.find(other.key) == second
    assert [path.name for path in table.path.parent.iterdir()] == ["memory.csv"]


def test_a_column_that_the_table_lacks_is_a_mistake_of_the_program(table: Table) -> None:
    with pytest.raises(ValueError, match=r"memory\.csv has no column saved_byte"):
        table.put(row(saved_byte=1))


def test_pandas_needs_only_the_path(table: Table) -> None:
    table.put(row(saved_bytes=2**40, step_seconds=0.25))
    table.put(row(MemoryConfiguration("resnet50"), saved_bytes=1, step_seconds=0.5))
    frame = pd.read_csv(table.path)
    assert list(frame.columns) == list(TABLES["memory"].names)
    assert frame["saved_bytes"].dtype == "int64"
    assert frame["batch_size"].dtype == "int64"
    assert frame["step_seconds"].dtype == "float64"


def test_wherever_a_kill_tears_the_last_line_it_is_ignored_and_repaired(table: Table) -> None:
    table.put(row(message="kept"))
    whole = table.path.read_bytes()
    table.put(row(MemoryConfiguration("torn"), message='a "quoted", message'))
    content = table.path.read_bytes()
    rows = table.rows()

    for length in {*range(0, len(content), 7), len(whole) - 1, len(whole), len(content) - 1}:
        table.path.write_bytes(content[:length])
        assert table.rows() == (rows[:1] if length >= len(whole) else [])
        table.put(rows[0])
        table.put(rows[1])
        assert table.path.read_bytes() == content


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a,b\n1,2\n", "column model is missing, column 'a' is unknown"),
        (b"notes without a line break", "it does not begin with the header of this table"),
        ("modèle,méthode\n".encode("latin-1"), "it is no text in UTF-8;"),
        (
            ",".join(reversed(TABLES["memory"].names)).encode() + b"\n",
            "its columns are in another order",
        ),
    ],
    ids=["columns", "text", "latin-1", "order"],
)
def test_a_foreign_file_is_left_alone(table: Table, content: bytes, reason: str) -> None:
    table.path.write_bytes(content)
    line = refusal(table)
    assert f"is not a table of this version: {reason}" in line
    assert line.endswith("move it away or choose another --output")


WIDTH = len(TABLES["memory"].names)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"net,exact", f"is cut off: it has 2 of {WIDTH} cells"),
        (b"", f"is cut off: it has 0 of {WIDTH} cells"),
        (b'net,"xco', "is cut off or no CSV (unexpected end of data)"),
        (b"x" + b"," * WIDTH, f"has {WIDTH + 1} cells instead of {WIDTH}"),
        (b"net,xconv,multi,eight" + b"," * (WIDTH - 4), "is wrong: 'eight' is no probes"),
    ],
    ids=["cut", "blank", "quoted", "long", "kind"],
)
def test_a_damaged_line_is_named(table: Table, line: bytes, reason: str) -> None:
    """Its remedy helps: without this line, the rows around it are read and gone on with."""
    table.put(row(seed=1), row(seed=2))
    header, first, second = table.path.read_bytes().splitlines()
    table.path.write_bytes(b"\n".join([header, first, line, second, b""]))
    assert refusal(table) == (
        f"{table.path}: line 3 {reason}; delete this line and measure again with "
        f"--output {table.path.parent} or choose another --output"
    )
    table.path.write_bytes(b"\n".join([header, first, second, b""]))
    table.put(row(seed=3))
    assert [found["seed"] for found in table.rows()] == [1, 2, 3]


def test_a_directory_in_its_place(table: Table) -> None:
    table.path.mkdir()
    assert "cannot be read: Is a directory; move it away" in refusal(table)


@contextmanager
def files_limited_to(size_bytes: int) -> Iterator[None]:
    """Do as a full disk does: the last write is short, the next one fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_rows_so_far(table: Table) -> None:
    table.put(row())
    content = table.path.read_bytes()
    for new in (row(MemoryConfiguration("another")), row(message="replaced")):
        with (
            files_limited_to(len(content) + 10),
            pytest.raises(BenchError, match="cannot be used: File too large"),
        ):
            table.put({**new, "message": "longer than what is left"})
        assert table.path.read_bytes() == content


def test_rows_put_together_stand_in_their_order_and_replace_old_ones(table: Table) -> None:
    first, second, third = (row(MemoryConfiguration(name), saved_bytes=1) for name in "abc")
    table.put(first, second)
    table.put(third, {**first, "saved_bytes": 2})
    assert [(r["model"], r["saved_bytes"]) for r in table.rows()] == [("a", 2), ("b", 1), ("c", 1)]


def test_nothing_is_left_after_clearing(table: Table) -> None:
    table.clear()
    table.put(row(MemoryConfiguration("a")))
    table.clear()
    assert table.rows() == [] and not table.path.exists()


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_table_as_a_spreadsheet_saves_it(table: Table, end: bytes) -> None:
    """With a mark at its beginning: it is read, gone on with, and still whole after a kill."""
    first, second = row(seed=1, saved_bytes=3), row(seed=2)
    table.put(first)
    table.path.write_bytes(b"\xef\xbb\xbf" + table.path.read_bytes().replace(b"\n", end))
    assert [found["seed"] for found in table.rows()] == [1]
    table.put(second)
    assert [found["seed"] for found in table.rows()] == [1, 2]
    with table.path.open("ab") as file:
        file.write(b"torn")
    table.put(row(seed=3))
    assert [found["seed"] for found in table.rows()] == [1, 2, 3]
    assert table.find({**second, "seed": 2}) is not None
    table.path.write_bytes(b"\xef\xbb\xbfmodel,me")
    assert table.rows() == []
    table.put(first)
    assert [found["saved_bytes"] for found in table.rows()] == [3]


def older(table: Table, without: set[str]) -> str:
    """The header that a table had when it lacked these columns."""
    return ",".join(column for column in table.columns if column not in without)


@pytest.mark.parametrize("without", [{"first"}, {"first", "floor_error", "cpu_wait_part"}])
def test_tables_of_earlier_versions_are_read(table: Table, without: set[str]) -> None:
    """All layers were compressed then, where convolutions were swapped at all."""
    cells = {"model": "net", "batch_size": "4", "status": "ok", "saved_bytes": "7"}
    lines = [
        cells | {"method": "exact"},
        cells | {"method": "quantized", "bits": "2", "compress": "conv"},
        cells | {"method": "xconv", "compress": "relu"},
        cells | {"method": "xconv", "probes": "0", "compress": "conv"},
    ]
    header = older(table, without)
    text = "\n".join(",".join(each.get(c, "") for c in header.split(",")) for each in lines)
    table.path.write_text(f"{header}\n{text}\n")
    rows = table.rows()
    assert [each["first"] for each in rows] == [None, "compressed", None, None]
    assert rows[1]["bits"] == 2.0 and rows[1]["saved_bytes"] == 7
    assert list(rows[0]) == list(table.columns)
    table.put(row())
    assert table.path.read_text().partition("\n")[0] == ",".join(table.columns)
    assert table.rows()[:4] == rows and len(table.rows()) == 5


def test_a_training_said_where_the_first_layer_was_left_alone(tmp_path: Path) -> None:
    table = Table(tmp_path / "training.csv", TABLES["training"])
    names = [column for column in table.columns if column not in ("first", "cpu_wait_part")]
    names.insert(names.index("data") + 1, "first")
    found = {}
    usual = "as the others"
    for method, first in (("exact", usual), ("xconv", "exact"), ("xconv", usual)):
        cells = {"model": "net", "method": method, "compress": "conv", "first": first, "epoch": "1"}
        table.path.write_text(
            ",".join(names) + "\n" + ",".join(cells.get(name, "") for name in names) + "\n"
        )
        found[method, first] = table.rows()[0]["first"]
    assert list(found.values()) == [None, "exact", "compressed"]


def test_columns_that_every_version_had_are_needed(table: Table) -> None:
    table.path.write_text(older(table, {"first", "seed"}) + "\n")
    assert "column seed is missing" in refusal(table)
