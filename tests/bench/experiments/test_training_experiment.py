"""Rows of trainings reach the disk epoch by epoch, and the last one says how it ended."""

from functools import partial
from pathlib import Path
from typing import Any

from xconv_bench.configuration import Configuration, TrainingConfiguration
from xconv_bench.events import Progress, Rows
from xconv_bench.experiments.train import measure_training
from xconv_bench.launch import Launcher, Outcome
from xconv_bench.results.schema import TABLES
from xconv_bench.results.table import Table

PLAN = [TrainingConfiguration("tiny", seed=seed, epochs=2) for seed in (0, 1)]


class Simulation:
    """Stands for the work that simulates a step."""


class FakeLauncher(Launcher):
    """Tells of two rows, looks at the table, and ends as it was told."""

    simulated = Outcome(readings={"simulated_peak_bytes": 5})

    def __init__(self, table: Table, outcome: Outcome) -> None:
        self.table = table
        self.outcome = outcome
        self.seeds: list[int] = []
        self.seen: list[int] = []

    def run(self, work: Any, listener: Any = None, device: str = "") -> Outcome:
        if isinstance(work, Simulation):
            return self.simulated
        self.seeds.append(work.keywords["cell"].seed)
        listener(Rows("training", [{"epoch": 0, "accuracy": 0.1}]))
        listener(Rows("training", [{"epoch": 1, "loss": 2.0, "accuracy": 0.5}]))
        listener(Progress(0.75))
        self.seen.append(len(self.table.rows()))
        return self.outcome


class Silent:
    def started(self, configuration: Configuration) -> None:
        pass

    def progressed(self, configuration: Configuration, progress: Progress) -> None:
        pass

    def wrote(self, configuration: Configuration, rows: list[dict[str, Any]]) -> None:
        pass

    def finished(self, configuration: Configuration, row: dict[str, Any], known: bool) -> None:
        pass


def measure(
    folder: Path, outcome: Outcome, forgotten: list[Any] | None = None
) -> tuple[Table, FakeLauncher, list[Any]]:
    table = Table(folder / "training.csv", TABLES["training"])
    launcher = FakeLauncher(table, outcome)
    make = lambda cell: partial(list, cell=cell)  # noqa: E731 never called
    forget = ([] if forgotten is None else forgotten).append
    simulated = lambda cell: Simulation()  # noqa: E731
    rows = measure_training(PLAN, table, launcher, Silent(), make, simulated, forget)  # type: ignore[arg-type, return-value]
    return table, launcher, rows


WHOLE = [
    {"epoch": 0, "accuracy": 0.1},
    {"epoch": 1, "loss": 2.0, "accuracy": 0.5},
    {"epoch": 2, "loss": 1.0, "accuracy": 0.9},
]


def test_epoch_by_epoch(tmp_path: Path) -> None:
    table, launcher, rows = measure(tmp_path, Outcome(rows={"training": WHOLE}))
    assert launcher.seen == [2, 5]
    assert [(row["seed"], row["epoch"]) for row in rows] == [
        (s, e) for s in (0, 1) for e in range(3)
    ]
    assert rows == table.rows()
    assert {row["status"] for row in rows} == {"ok"}
    _, again, _ = measure(tmp_path, Outcome(rows={"training": WHOLE}))
    assert again.seeds == []


def test_what_failed_is_trained_again_and_what_diverged_is_not(tmp_path: Path) -> None:
    forgotten: list[Any] = []
    table, _, _ = measure(tmp_path, Outcome("error", "the process died"), forgotten)
    assert forgotten == []
    ends = [(row["epoch"], row["status"]) for row in table.rows()]
    assert ends == [(0, "ok"), (1, "ok"), (2, "error")] * 2
    diverged = Outcome("diverged", "loss is nan after epoch 2")
    _, again, _ = measure(tmp_path, diverged, forgotten)
    assert again.seeds == [0, 1] and forgotten == PLAN
    _, third, rows = measure(tmp_path, Outcome(rows={"training": WHOLE}))
    assert third.seeds == []
    assert [row["status"] for row in rows] == ["ok", "ok", "diverged"] * 2
