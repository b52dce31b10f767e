"""Training from a seed: the same curve again, and the same where it was interrupted."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from heard import outcome_of
from tiny_task import MakeStripes, Stripes
from torch import Tensor, nn
from torch.utils import deterministic

from xconv_bench.configuration import TrainingConfiguration
from xconv_bench.errors import BenchError, Diverged
from xconv_bench.events import Event, Message, Progress, Rows
from xconv_bench.measurement import cross_check
from xconv_bench.measurement.counting import Count, Simulation
from xconv_bench.measurement.repeatable import use_repeatable_kernels
from xconv_bench.measurement.task_memory import EqualMemoryBatch
from xconv_bench.measurement.task_setup import build_task, simulate_task
from xconv_bench.measurement.task_simulated import SimulatedTraining
from xconv_bench.measurement.task_training import TaskTraining
from xconv_bench.measurement.training import Training
from xconv_bench.meters.allocator import ALLOCATOR_COLUMNS
from xconv_bench.meters.live import LiveMeter
from xconv_bench.meters.nvml import NVML_COLUMNS
from xconv_bench.meters.waiting import REMARK, CoreWait
from xconv_bench.results.schema import TABLES
from xconv_bench.tasks import TaskOptions

EXACT = TrainingConfiguration(
    "tiny",
    task="stripes",
    data="stripes",
    batch_size=8,
    image_size=12,
    learning_rate=0.01,
    epochs=3,
)
XCONV = replace(
    EXACT, method="xconv", scheme="independent", probes=4, distribution="rademacher",
    compress="conv,relu",
)  # fmt: skip
QUANTIZED = replace(EXACT, method="quantized", bits=2, compress="conv")


def training(cell: TrainingConfiguration, folder: Path) -> TaskTraining:
    return TaskTraining(cell, MakeStripes(cell.seed), folder / "a.pt", folder / "pictures")


def whole_rows(events: list[Event]) -> list[dict[str, Any]]:
    return [row for event in events if isinstance(event, Rows) for row in event.rows]


def rows_of(events: list[Event]) -> list[dict[str, Any]]:
    columns = ("epoch", "loss", "accuracy")
    return [{k: v for k, v in row.items() if k in columns} for row in whole_rows(events)]


def progress_in(events: list[Event]) -> list[Progress]:
    return [event for event in events if isinstance(event, Progress)]


def test_every_epoch_says_how_long_it_waited_for_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message follows the median: one epoch that was disturbed is not the training."""
    for parts, said in (((0.5, 0.0, 0.0), ""), ((0.5, 0.5, 0.0), REMARK), ((None,) * 3, "")):
        waits = iter(parts)
        monkeypatch.setattr(CoreWait, "part", lambda self, waits=waits: next(waits))
        events = list(training(EXACT, tmp_path / str(parts))())
        assert [row.get("cpu_wait_part") for row in whole_rows(events)] == [None, *parts]
        assert events[-1] == Message(said)


@pytest.mark.parametrize("cell", [EXACT, XCONV], ids=["exact", "xconv"])
def test_a_seed_decides_the_curve(tmp_path: Path, cell: TrainingConfiguration) -> None:
    first = list(training(cell, tmp_path / "first")())
    torch.rand(7)
    second = list(training(cell, tmp_path / "second")())
    assert rows_of(first) == rows_of(second)
    assert [row["epoch"] for row in rows_of(first)] == [0, 1, 2, 3]
    other = list(training(replace(cell, seed=1), tmp_path / "other")())
    assert rows_of(other) != rows_of(first)


@pytest.mark.parametrize("cell", [EXACT, XCONV], ids=["exact", "xconv"])
@pytest.mark.parametrize("epochs", [1, 2])
def test_going_on_gives_the_curve_of_who_never_stopped(
    tmp_path: Path, cell: TrainingConfiguration, epochs: int
) -> None:
    whole = rows_of(list(training(cell, tmp_path / "whole")()))
    interrupted = training(cell, tmp_path)()
    for event in interrupted:  # stopped in the middle of the epoch after
        if isinstance(event, Progress) and event.fraction > (epochs + 0.4) / cell.epochs:
            break
    interrupted.close()  # type: ignore[attr-defined]
    assert [path.name for path in tmp_path.glob("*.*")] == ["a.pt"], "half a file is left"
    torch.rand(11)
    again = list(training(cell, tmp_path)())
    assert rows_of(again) == whole
    assert min(each.fraction for each in progress_in(again)) == epochs / cell.epochs


def test_who_was_killed_before_the_end_was_written_trains_nothing_again(tmp_path: Path) -> None:
    first = list(training(EXACT, tmp_path)())
    again = list(training(EXACT, tmp_path)())
    assert rows_of(again) == rows_of(first)
    assert progress_in(again) == []


def test_rows_are_told_as_soon_as_they_exist(tmp_path: Path) -> None:
    events = list(training(EXACT, tmp_path)())
    told = [[row["epoch"] for row in each.rows] for each in events if isinstance(each, Rows)]
    assert told == [[0], [1], [2], [3]]
    assert isinstance(events[-2], Rows)  # the last comes with the end of the training
    assert any("loss" in each.said for each in progress_in(events))
    outcome = outcome_of(lambda: events)
    assert outcome.readings["rss_peak_bytes"] > 0
    assert outcome.rows["training"][-1]["epoch_seconds"] > 0
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == {"truth.png", "output.png"}


def test_the_first_row_is_that_of_the_weights_before_training(tmp_path: Path) -> None:
    firsts = [rows_of(list(training(cell, tmp_path / cell.method)()))[0] for cell in (EXACT, XCONV)]
    assert firsts[0] == firsts[1]


class Watched(Stripes):
    """Notes in which mode the network is when, and which epochs are asked for."""

    def __init__(self, drawn: int = 5) -> None:
        super().__init__(TaskOptions())
        self.modes: dict[str, set[bool]] = {}
        self.epochs_asked: list[int] = []
        self.losses = 0
        self._drawn = drawn

    def batches(self, epoch: int) -> Any:
        self.epochs_asked.append(epoch)
        return super().batches(epoch)

    def loss(self, model: nn.Module, batch: Any) -> Tensor:
        self.losses += 1
        self.modes.setdefault("loss", set()).add(model.training)
        return super().loss(model, batch)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        torch.rand(self._drawn)
        self.modes.setdefault("evaluate", set()).add(model.training)
        return super().evaluate(model)

    def pictures(self, model: nn.Module) -> Any:
        self.modes.setdefault("pictures", set()).add(model.training)
        return super().pictures(model)


def trained(task: Stripes, folder: Path) -> list[Event]:
    return list(TaskTraining(EXACT, lambda: task, folder / "a.pt", folder / "pictures")())


def test_modes_and_epochs(tmp_path: Path) -> None:
    task = Watched()
    trained(task, tmp_path)
    assert task.modes == {"loss": {True}, "evaluate": {False}, "pictures": {False}}
    assert list(dict.fromkeys(task.epochs_asked)) == [0, 1, 2]


def test_what_an_evaluation_draws_is_not_missed_afterwards(tmp_path: Path) -> None:
    """Dropout draws from the same generator."""
    curves = [rows_of(trained(Watched(n), tmp_path / str(n))) for n in (5, 50)]
    assert curves[0] == curves[1]


class Explodes(Watched):
    def loss(self, model: nn.Module, batch: Any) -> Tensor:
        return super().loss(model, batch) * float("inf")


def test_a_loss_that_is_not_finite(tmp_path: Path) -> None:
    """It is seen in the middle of an epoch, and nothing is evaluated then."""
    task = Explodes()
    with pytest.raises(Diverged, match=r"loss is (inf|nan) after epoch 1"):
        trained(task, tmp_path)
    assert task.losses == 1


class MeasuresNothing(Stripes):
    def evaluate(self, model: nn.Module) -> dict[str, float]:
        return {"accuracy": float("nan")}


def test_a_measure_that_is_not_finite(tmp_path: Path) -> None:
    with pytest.raises(Diverged, match="accuracy is nan after epoch 1"):
        trained(MeasuresNothing(TaskOptions()), tmp_path)


def test_a_file_that_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(b"mine")
    with pytest.raises(BenchError, match=r"a\.pt is no checkpoint of this training"):
        list(training(EXACT, tmp_path)())
    model = MakeStripes()().build()
    state = {"model": model.state_dict(), "optimizer": torch.optim.Adam(model.parameters())}
    torch.save({**state, "optimizer": state["optimizer"].state_dict()}, tmp_path / "a.pt")
    with pytest.raises(BenchError, match=r"a\.pt is no checkpoint of this training"):
        list(training(EXACT, tmp_path)())


def test_all_meters_have_columns(tmp_path: Path) -> None:
    """Also those that have nothing to say without a GPU."""
    columns = set(TABLES["training"].names)
    assert {*ALLOCATOR_COLUMNS, *NVML_COLUMNS, "rss_peak_bytes"} <= columns
    outcome = outcome_of(training(EXACT, tmp_path))
    assert {*outcome.rows["training"][-1], *outcome.readings} <= columns


def test_repeatable_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
    filled = deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    try:
        use_repeatable_kernels("cpu")
        assert not torch.are_deterministic_algorithms_enabled()
        use_repeatable_kernels("cuda:0")
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    finally:
        torch.use_deterministic_algorithms(False)
        deterministic.fill_uninitialized_memory = filled  # type: ignore[attr-defined]


def test_the_simulated_peak_is_that_of_a_real_step() -> None:
    for cell in (EXACT, XCONV):
        task = MakeStripes()()
        model = build_task(task, cell)
        batch = next(iter(task.batches(0)))
        step = Training(model, batch, task.loss).step
        step()
        live = LiveMeter(torch.device("cpu"))
        live.track(batch)
        live.track_model(model)
        live.reset_peak()
        with live:
            step()
        assert simulate_task(task, cell).count(8).peak_bytes == live.peak_bytes


@pytest.mark.parametrize("cell", [EXACT, XCONV], ids=["exact", "xconv"])
def test_the_simulated_peak_is_held_against_a_real_step(cell: TrainingConfiguration) -> None:
    simulated, checked = SimulatedTraining(MakeStripes(), cell)()
    peak = simulate_task(MakeStripes()(), cell).count(cell.batch_size).peak_bytes
    assert (simulated, checked) == ({"simulated_peak_bytes": peak}, {"doubt": ""})
    (alone,) = SimulatedTraining(MakeStripes(), cell, cross_check=False)()
    assert alone == simulated


def test_a_wrong_simulation_of_a_task_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    count = Simulation.count

    def half(self: Simulation, batch_size: int) -> Count:
        counted = count(self, batch_size)
        return replace(counted, peak_bytes=counted.peak_bytes // 2)

    monkeypatch.setattr(Simulation, "count", half)
    _, checked = SimulatedTraining(MakeStripes(), EXACT)()
    assert isinstance(checked, dict) and checked["doubt"].endswith("(batch 8 on the CPU)")
    monkeypatch.setattr(cross_check, "_MOST_OPERATIONS", 1)
    _, checked = SimulatedTraining(MakeStripes(), EXACT)()
    assert checked == Message("not cross-checked: a small step would take too long")


def test_equal_memory() -> None:
    """The batch fits, and one more sample does not; exact keeps its own."""
    (found,) = EqualMemoryBatch(MakeStripes(), XCONV, 256)()
    task = MakeStripes()()
    budget = simulate_task(task, EXACT).count(8).peak_bytes
    simulation = simulate_task(task, XCONV)
    assert isinstance(found, dict)
    size = found["batch_size"]
    assert size > 8
    peaks = [simulation.count(each).peak_bytes for each in (size, size + 1)]
    assert peaks[0] <= budget < peaks[1]
    assert list(EqualMemoryBatch(MakeStripes(), EXACT, 256)()) == [{"batch_size": 8}]


@pytest.mark.parametrize("cell", [XCONV, QUANTIZED], ids=lambda cell: cell.method)
def test_the_first_layer_may_be_left_exact(cell: TrainingConfiguration) -> None:
    from xconv import account

    task = MakeStripes()()
    swapped = {}
    for first in ("exact", "compressed"):
        model = build_task(task, replace(cell, first=first))
        Training(model, next(iter(task.batches(0))), task.loss).step()
        swapped[first] = {entry.name for entry in account(model).swapped}
    assert swapped["compressed"] - swapped["exact"] == {"0"} and "4" in swapped["exact"]
