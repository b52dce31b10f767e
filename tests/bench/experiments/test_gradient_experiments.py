"""Rows of gradients: a row a layer, whole configurations only, each measured once."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from xconv_bench.configuration import (
    Configuration,
    ErrorConfiguration,
    GradientConfiguration,
    VarianceConfiguration,
)
from xconv_bench.data.sources import DataOptions
from xconv_bench.errors import BenchError, Unsupported
from xconv_bench.events import Progress
from xconv_bench.experiments.average_error import Measurements, at_batch_size, at_budget
from xconv_bench.experiments.gradients import measure_gradients
from xconv_bench.experiments.starting_weights import prepare_weights
from xconv_bench.experiments.writing import rows_of
from xconv_bench.launch import Launcher, Outcome
from xconv_bench.measurement.comparison import Start
from xconv_bench.results.run_directory import RunDirectory
from xconv_bench.results.table import Table

PLAN = [ErrorConfiguration("net", batch_size=size) for size in (1, 2, 3)]
ROWS = {
    "error": [
        {"layer": "first", "relative_error": 0.5},
        {"layer": "all", "relative_error": 0.25, "saved_bytes": 7},
    ]
}


class FakeLauncher(Launcher):
    """Gives outcomes in turn; work is whatever ``measurement`` made."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes = list(outcomes)
        self.works: list[Any] = []

    def run(self, work: Any, listener: Callable[[Any], None] = lambda _: None) -> Outcome:
        self.works.append(work)
        listener(Progress(0.5))
        return self.outcomes.pop(0)


class Witness:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def started(self, configuration: Configuration) -> None:
        self.told.append(("started", configuration.batch_size))

    def progressed(self, configuration: Configuration, progress: Progress) -> None:
        self.told.append((progress.fraction,))

    def finished(self, configuration: Configuration, row: dict[str, Any], known: bool) -> None:
        self.told.append(("finished", configuration.batch_size, row["status"], known))

    def prepares(self, what: str) -> None:
        self.told.append(("prepares", what))

    def prepared(self, what: str, message: str) -> None:
        self.told.append(("prepared", message))


@pytest.fixture
def table(tmp_path: Path) -> Table:
    with RunDirectory("error", "net", tmp_path) as run:
        return run.table("error")


def measured(status: str = "ok", message: str = "", **rows: list[dict[str, Any]]) -> Outcome:
    return Outcome(status, message, rows=rows or ROWS)


def measure(table: Table, *outcomes: Outcome, plan: Any = PLAN) -> tuple[FakeLauncher, Witness]:
    launcher, witness = FakeLauncher(*outcomes), Witness()
    measure_gradients(plan, [table], launcher, witness, lambda cell: cell)  # type: ignore[arg-type]
    return launcher, witness


def test_a_row_for_each_layer_and_the_messages_on_that_of_all(table: Table) -> None:
    _, witness = measure(table, measured(message="two layers are exact"), plan=PLAN[:1])
    first, whole = table.rows()
    assert (first["layer"], first["status"], first["message"]) == ("first", "ok", None)
    assert (whole["layer"], whole["message"]) == ("all", "two layers are exact")
    assert (whole["relative_error"], whole["saved_bytes"]) == (0.25, 7)
    assert {column: whole[column] for column in PLAN[0].key} == PLAN[0].key
    assert witness.told == [("started", 1), (0.5,), ("finished", 1, "ok", False)]


def test_what_failed_is_a_row_of_all_layers_and_is_measured_again(table: Table) -> None:
    failed = Outcome("error", "the gradient of first is not finite")
    measure(table, measured(), failed, Outcome("oom", "no memory"))
    statuses = [(row["batch_size"], row["layer"], row["status"]) for row in table.rows()]
    assert statuses == [
        (1, "first", "ok"),
        (1, "all", "ok"),
        (2, "all", "error"),
        (3, "all", "oom"),
    ]
    launcher, witness = measure(table, measured())
    assert launcher.works == [PLAN[1]]
    assert [told for told in witness.told if told[0] == "finished"] == [
        ("finished", 1, "ok", True),
        ("finished", 3, "oom", True),
        ("finished", 2, "ok", False),
    ]
    assert [row["layer"] for row in rows_of([PLAN[1]], table)] == ["all", "first"]


def test_a_kill_between_the_rows_of_a_configuration(table: Table) -> None:
    """Without the row of all layers, which is the last, it is measured again."""
    measure(table, measured(), plan=PLAN[:1])
    content = table.path.read_bytes()
    table.path.write_bytes(content[: content.index(b",all,")])
    launcher, _ = measure(table, measured(), plan=PLAN[:1])
    assert launcher.works == PLAN[:1]
    assert table.path.read_bytes() == content


def test_the_rows_of_other_configurations_are_left_out(table: Table) -> None:
    measure(table, measured(), measured(), measured())
    assert [row["batch_size"] for row in rows_of(PLAN[:0:-1], table)] == [3, 3, 2, 2]


def test_the_last_table_is_written_last(tmp_path: Path) -> None:
    cell = VarianceConfiguration("net")
    estimates = [{"layer": "first", "weight_index": 4, "estimate": 1.0}]
    with RunDirectory("variance", "net", tmp_path) as run:
        tables = [run.table("estimates"), run.table("variance")]
        outcome = measured(estimates=estimates, variance=[{"layer": "all"}])
        measure_gradients([cell], tables, FakeLauncher(outcome), Witness(), lambda c: c)  # type: ignore
        assert [len(table.rows()) for table in tables] == [1, 1]
        tables[1].clear()
        measure_gradients([cell], tables, FakeLauncher(outcome), Witness(), lambda c: c)  # type: ignore
        assert [len(table.rows()) for table in tables] == [1, 1]


CELL = GradientConfiguration("net", "xconv", "multi", 8, "rademacher", "conv", samples=100)


def made(measurements: Measurements) -> list[Any]:
    return [make(cell, Start(DataOptions())) for cell, make in measurements.items()]


def sizes(work: Any) -> tuple[int, int]:
    return work.configuration.batch_size, work.chunk_size


def test_each_method_has_the_largest_batch_that_fits() -> None:
    cells = [CELL.as_exact(), CELL, replace(CELL, probes=9)]
    launcher = FakeLauncher(*(Outcome(readings={"max_batch_size": size}) for size in (10, 20, 19)))
    witness = Witness()
    works = made(at_budget(cells, 1000, 0.9, launcher, witness, cross_check=False))
    assert [
        (work.configuration.method, work.configuration.probes, *sizes(work)) for work in works
    ] == [
        ("exact", None, 10, 10),
        ("xconv", 8, 20, 10),
        ("xconv", 9, 19, 10),
    ]
    assert {work.configuration.memory_budget_bytes for work in works} == {1000}
    assert [told for told in witness.told if told[0] == "prepared"] == [
        ("prepared", "10"),
        ("prepared", "20"),
        ("prepared", "19"),
    ]
    assert {(work.budget_bytes, work.most) for work in launcher.works} == {(900, 100)}


def test_what_does_not_fit_runs_out_of_memory_and_the_others_do_not() -> None:
    outcomes = [Outcome("oom", "net needs 3 GiB"), Outcome(readings={"max_batch_size": 4})]
    launcher = FakeLauncher(*outcomes)
    exact, probed = made(at_budget([CELL.as_exact(), CELL], 1000, 0.9, launcher, Witness(), False))
    with pytest.raises(MemoryError, match="needs 3 GiB"):
        exact()
    for status, error in (("unsupported", Unsupported), ("error", BenchError)):
        launcher = FakeLauncher(Outcome(status, "not this one"), Outcome("error"))
        (failing,) = made(at_budget([CELL], 1000, 0.9, launcher, Witness(), False))
        with pytest.raises(error, match="not this one"):
            failing()
    # Its exact gradients, which are measured all the same, are taken one sample at a time.
    assert sizes(probed) == (4, 1)


def test_one_batch_size_for_all() -> None:
    (work,) = made(at_batch_size([CELL]))
    assert sizes(work) == (32, 32) and work.configuration.memory_budget_bytes is None


def test_weights_are_made_once(tmp_path: Path) -> None:
    there, missing = tmp_path / "there.pt", tmp_path / "missing.pt"
    there.touch()

    class Makes(FakeLauncher):
        def run(self, work: Any, listener: Any = None) -> Outcome:
            work.path.touch()
            return super().run(work)

    launcher, witness = Makes(Outcome(message="loss 2 to 1")), Witness()
    starts = [(CELL, Start(DataOptions(), path)) for path in (None, there, missing, missing)]
    prepare_weights(starts, launcher, witness, download=False)
    assert [work.path for work in launcher.works] == [missing]
    assert [told[0] for told in witness.told] == ["prepares", "prepared"]
    with pytest.raises(BenchError, match="diverged"):
        failing = FakeLauncher(Outcome("error", "diverged"))
        prepare_weights([(CELL, Start(DataOptions(), tmp_path / "x"))], failing, witness, False)
