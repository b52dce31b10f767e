"""Runs are read as they are, and what cannot be read is named."""

from pathlib import Path

import pytest
from run_directories import MEMORY, error_row, make_run

from xconv_bench.errors import BenchError, UsageError
from xconv_bench.results.recorded import read_runs


def listing(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_reading_changes_nothing(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", memory=MEMORY)
    before = listing(tmp_path)
    (found,), skipped = read_runs([run])
    assert listing(tmp_path) == before
    assert (found.name, list(found.tables), skipped) == ("run", ["memory"], [])
    assert found.tables["memory"].content == (run / "memory.csv").read_bytes()
    assert found.environment == {"torch": "2.6.0", "seed": 0}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a,b\n1,2\n", "column model is missing"),
        (b"\xff\xfe\x00\n", "it is no text in UTF-8"),
        (b"\x89PNG\r\n\x1a\n\0\0", "is not a table of this version"),
        (b"model,method", "was cut off before its first row ended; measure again with --output"),
        (b"half a line", "does not begin with the header of this table; move it away"),
        (b"", "is empty; measure again with --output"),
    ],
)
def test_a_table_that_is_none_is_skipped(tmp_path: Path, content: bytes, reason: str) -> None:
    run = make_run(tmp_path / "run", memory=MEMORY)
    (run / "error.csv").write_bytes(content)
    (found,), (said,) = read_runs([run])
    assert list(found.tables) == ["memory"]
    assert reason in said and "error.csv" in said and "\n" not in said
    assert "another --output" not in said


def test_half_a_table(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", memory=MEMORY, error=[error_row(0.5)])
    memory, error = run / "memory.csv", run / "error.csv"
    memory.write_bytes(memory.read_bytes()[:-20])
    error.write_bytes(error.read_bytes().replace(b",ok,", b",", 1))
    (found,), said = read_runs([run])
    assert [len(table.rows) for table in found.tables.values()] == [1]
    assert "memory.csv: its last line is incomplete" in said[0]
    assert "error.csv: line 2 is cut off: it has" in said[1]
    assert found.tables["memory"].content.endswith(b"\n")


def test_a_row_without_a_name_is_damage(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", memory=MEMORY, error=[error_row(0.5)])
    error = run / "error.csv"
    error.write_bytes(error.read_bytes().replace(b"\nresnet50,", b"\n,"))
    _, said = read_runs([run])
    remedy = f"delete this line and measure again with --output {error.parent}"
    assert said == [f"{error}: line 2 lacks its model, method or status; {remedy}: skipped"]


@pytest.mark.parametrize(
    ("record", "reason"),
    [(b"[1]", "is not a record"), (b"{", "is not a record"), (None, "does not exist")],
)
def test_the_record_of_the_environment(tmp_path: Path, record: bytes | None, reason: str) -> None:
    path = make_run(tmp_path / "run", memory=MEMORY) / "environment.json"
    path.unlink() if record is None else path.write_bytes(record)
    (found,), (said,) = read_runs([path.parent])
    assert found.environment is None and reason in said and str(path) in said


def test_directories_without_tables(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", memory=MEMORY)
    empty = tmp_path / "empty"
    empty.mkdir()
    found, said = read_runs([empty, run, run / "memory.csv", run])
    assert [each.name for each in found] == ["run"]
    assert [line.removeprefix(f"{tmp_path}/") for line in said] == [
        "empty: there is no table in it: skipped",
        "run/memory.csv is not the directory of a run: skipped",
        "run is given twice: shown once",
    ]
    with pytest.raises(BenchError, match=r"nothing to report: .*no table in it") as raised:
        read_runs([empty])
    assert raised.value.exit_code == 1
    with pytest.raises(UsageError, match="nowhere does not exist"):
        read_runs([run, tmp_path / "nowhere"])


def test_names_tell_runs_apart(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / place / "run", memory=MEMORY) for place in ("a", "b")]
    assert [run.name for run in read_runs(runs)[0]] == ["a/run", "b/run"]
