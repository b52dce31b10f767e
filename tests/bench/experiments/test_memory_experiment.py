"""Rows reach the disk one by one, and a second run measures what the first could not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xconv_bench.configuration import Configuration, MemoryConfiguration
from xconv_bench.errors import UsageError
from xconv_bench.events import Progress
from xconv_bench.experiments.memory import measure_memory, repeat
from xconv_bench.launch import Launcher, Outcome
from xconv_bench.measurement.measure import Measurement
from xconv_bench.measurement.simulated import SimulationWork
from xconv_bench.results.schema import TABLES
from xconv_bench.results.table import Table

PLAN = [MemoryConfiguration("a", batch_size=batch_size) for batch_size in (1, 2, 3)]
OK = Outcome("ok", "", {"saved_bytes": 7})


class FakeLauncher(Launcher):
    """Gives the outcomes that it was made with, one a batch size, and looks at the table."""

    def __init__(self, table: Table, outcomes: dict[int, Outcome] | None = None) -> None:
        self.table = table
        self.outcomes = outcomes or {}
        self.measured: list[int] = []
        self.rows_before: list[int] = []
        self.steps: set[int] = set()

    def run(self, work: Callable[..., Any], *_: Any) -> Outcome:
        if isinstance(work, SimulationWork):
            return Outcome("unsupported", "not simulated")
        assert isinstance(work, Measurement)
        self.rows_before.append(len(self.table.rows()))
        self.measured.append(work.configuration.batch_size)
        self.steps.add(work.timed_steps)
        return self.outcomes.get(work.configuration.batch_size, OK)


class Witness:
    """Writes down what it is told, and what is on the disk then."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.told: list[tuple[Any, ...]] = []

    def started(self, configuration: MemoryConfiguration) -> None:
        self.told.append(("started", configuration.batch_size))

    def progressed(self, configuration: Configuration, progress: Progress) -> None:
        pass

    def finished(
        self, configuration: MemoryConfiguration, row: dict[str, Any], known: bool
    ) -> None:
        assert self.table.find(configuration.key) == row
        self.told.append(("finished", configuration.batch_size, row["status"], known))


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path / "memory.csv", TABLES["memory"])


def test_each_row_is_on_the_disk_before_the_next_measurement(table: Table) -> None:
    launcher, witness = FakeLauncher(table), Witness(table)
    rows = measure_memory(PLAN, table, launcher, witness, timed_steps=4)
    assert launcher.rows_before == [0, 1, 2]
    assert launcher.steps == {4}
    assert rows == table.rows()
    assert [row["batch_size"] for row in rows] == [1, 2, 3]
    assert rows[0]["saved_bytes"] == 7
    assert witness.told[:3] == [("started", 1), ("finished", 1, "ok", False), ("started", 2)]


def test_a_second_run_measures_what_is_not_final(table: Table) -> None:
    statuses = ("ok", "oom", "unsupported", "error", "timeout")
    plan = [MemoryConfiguration("a", batch_size=size) for size in range(1, 6)]
    outcomes = {size: Outcome(status) for size, status in enumerate(statuses, start=1)}
    measure_memory(plan, table, FakeLauncher(table, outcomes), Witness(table))
    second, witness = FakeLauncher(table), Witness(table)
    rows = measure_memory(plan, table, second, witness)
    assert second.measured == [4, 5]
    assert [row["status"] for row in rows] == ["ok", "oom", "unsupported", "ok", "ok"]
    assert rows == table.rows()
    assert witness.told[:2] == [("finished", 1, "ok", True), ("finished", 2, "oom", True)]
    assert witness.told[3:5] == [("started", 4), ("finished", 4, "ok", False)]


def test_a_larger_plan_keeps_what_is_there(table: Table) -> None:
    measure_memory(PLAN[1:2], table, FakeLauncher(table), Witness(table))
    launcher = FakeLauncher(table)
    rows = measure_memory(PLAN, table, launcher, Witness(table))
    assert launcher.measured == [1, 3]
    assert [row["batch_size"] for row in rows] == [1, 2, 3]
    assert [row["batch_size"] for row in table.rows()] == [2, 1, 3]


@pytest.mark.parametrize("error", [UsageError("wrong"), KeyboardInterrupt()])
def test_an_end_in_the_middle_keeps_what_was_measured(table: Table, error: BaseException) -> None:
    class EndsAtTwo(FakeLauncher):
        def run(self, work: Callable[..., Any], *_: Any) -> Outcome:
            outcome = super().run(work)
            if self.measured[-1:] == [2]:
                raise error
            return outcome

    with pytest.raises(type(error)):
        measure_memory(PLAN, table, EndsAtTwo(table), Witness(table))
    assert [row["batch_size"] for row in table.rows()] == [1]


def test_each_repeat_has_a_seed_of_its_own() -> None:
    cells = repeat([Configuration("a", seed=5), Configuration("b", seed=5)], 2)
    assert [(c.model, c.repeat, c.seed) for c in cells] == [
        ("a", 0, 5),
        ("b", 0, 5),
        ("a", 1, 6),
        ("b", 1, 6),
    ]
