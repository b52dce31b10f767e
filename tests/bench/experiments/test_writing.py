"""Rows of measurements are written by one writer: the row that a cell is known by comes last."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from xconv_bench.configuration import Configuration, TrainingConfiguration
from xconv_bench.events import Message, Progress, Rows, told
from xconv_bench.experiments.writing import RowWriter, key_of, rows_of
from xconv_bench.launch import Job, Outcome
from xconv_bench.results.run_directory import RunDirectory
from xconv_bench.results.table import Table

CELL = Configuration("net")
OTHER = replace(CELL, batch_size=2)
MOMENTS = [{"position": n, "phase": "forward", "layer_bytes": n} for n in range(3)]


@pytest.fixture
def table(tmp_path: Path) -> Callable[[str], Table]:
    def opened(name: str) -> Table:
        with RunDirectory(name, "net", tmp_path) as run:
            return run.table(name)

    return opened


def job(*cells: Configuration) -> Job:
    return Job.of(list, *cells)  # type: ignore[arg-type]


def test_an_outcome_takes_every_kind_of_event() -> None:
    outcome = Outcome()
    for event in (
        Progress(0.5, "half"), {"saved_bytes": 7}, Message(""), Message("first"),
        *told({"live_peak_bytes": 8, "message": "second"}),
        Rows("error", [{"layer": "a"}]), Rows("error", [{"layer": "all"}]), Rows("age", []),
    ):  # fmt: skip
        outcome.add(event)
    assert outcome.readings == {"saved_bytes": 7, "live_peak_bytes": 8}
    assert outcome.ending == {"status": "ok", "message": "first; second"}
    assert outcome.rows == {"error": [{"layer": "a"}, {"layer": "all"}], "age": []}


@pytest.mark.parametrize(("shares", "others"), [(True, "doubtful"), (False, "ok")])
def test_the_row_that_a_cell_is_known_by_is_written_last(
    table: Callable[[str], Table], shares: bool, others: str
) -> None:
    layers = table("layers")
    writer = RowWriter(layers, known_by=lambda row: {"position": 0}, shares_status=shares)
    outcome = Outcome("doubtful", "said", rows={"layers": MOMENTS})
    (known,) = writer.write(job(CELL), outcome)
    written = layers.rows()
    assert [row["position"] for row in written] == [1, 2, 0]
    assert [row["status"] for row in written] == [others, others, "doubtful"]
    assert known == written[-1] and known["message"] == "said"
    assert writer.found() == {key_of(CELL): known}
    assert [row["position"] for row in rows_of([CELL], layers, by="position")] == [0, 1, 2]


def test_where_nothing_was_measured_there_is_a_row_all_the_same(
    table: Callable[[str], Table],
) -> None:
    layers = table("layers")
    writer = RowWriter(layers, known_by=lambda row: {"position": 0})
    (row,) = writer.write(job(CELL), Outcome("oom", "no memory"))
    assert (row["position"], row["status"], row["message"]) == (0, "oom", "no memory")


def test_cells_that_take_turns_have_a_row_each_and_may_fail_apart(
    table: Callable[[str], Table],
) -> None:
    writer = RowWriter(table("runtime"))
    rows: list[dict[str, Any]] = [{"status": "ok", "rounds": 3}, {"status": "oom", "message": "no"}]
    found = writer.write(job(CELL, OTHER), Outcome(rows={"runtime": rows}))
    assert [(r["batch_size"], r["status"], r["rounds"]) for r in found] == [
        (32, "ok", 3), (2, "oom", None)
    ]  # fmt: skip
    both = writer.write(job(CELL, OTHER), Outcome("timeout", "given up"))
    assert [row["status"] for row in both] == ["timeout", "timeout"]


def test_rows_that_come_early_are_written_at_once_but_for_the_last(
    table: Callable[[str], Table],
) -> None:
    training, cell = table("training"), TrainingConfiguration("net", epochs=2)
    writer = RowWriter(training, known_by=lambda row: {"epoch": row["epochs"]}, at_once=True)
    writer.hear(cell, Rows("training", [{"epoch": 0}, {"epoch": 1, "loss": 1.5}, {"epoch": 2}]))
    assert [row["epoch"] for row in training.rows()] == [0, 1]
    assert writer.found() == {}
    (last,) = writer.write(job(cell), Outcome("error", "it died"))
    assert (last["epoch"], last["status"]) == (2, "error")
    assert [row["status"] for row in rows_of([cell], training, by="epoch")] == ["ok", "ok", "error"]
