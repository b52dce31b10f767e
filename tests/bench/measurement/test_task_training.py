"""Training from a seed: the same curve again, and the same where it was interrupted."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_task import MakeStripes, Stripes
from torch import Tensor, nn
from torch.utils import deterministic

from xconv_bench.configuration import TrainingConfiguration
from xconv_bench.errors import BenchError, Diverged
from xconv_bench.launch.job import Stage
from xconv_bench.measurement import cross_check
from xconv_bench.measurement.counting import Count
from xconv_bench.measurement.repeatable import use_repeatable_kernels
from xconv_bench.measurement.task_simulated import SimulatedTraining
from xconv_bench.measurement.task_step import EqualMemoryBatch, SimulatedTask, TaskStep, build
from xconv_bench.measurement.task_training import TaskTraining
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


def rows_of(readings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    (rows,) = [each["rows"] for each in readings if "rows" in each]
    return [{k: v for k, v in row.items() if k in ("epoch", "loss", "accuracy")} for row in rows]


def stages(readings: list[dict[str, Any]]) -> list[Stage]:
    return [each["progress"] for each in readings if "progress" in each]


def test_every_epoch_says_how_long_it_waited_for_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message follows the median: one epoch that was disturbed is not the training."""
    for parts, said in (((0.5, 0.0, 0.0), ""), ((0.5, 0.5, 0.0), REMARK), ((None,) * 3, "")):
        waits = iter(parts)
        monkeypatch.setattr(CoreWait, "part", lambda self, waits=waits: next(waits))
        readings = list(training(EXACT, tmp_path / str(parts))())
        (rows,) = [each["rows"] for each in readings if "rows" in each]
        assert [row.get("cpu_wait_part") for row in rows] == [None, *parts]
        assert (readings[-1]["message"]) == said


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
    for readings in interrupted:  # stopped in the middle of the epoch after
        stage = readings.get("progress")
        if stage and stage.fraction > (epochs + 0.4) / cell.epochs:
            break
    interrupted.close()  # type: ignore[attr-defined]
    assert [path.name for path in tmp_path.glob("*.*")] == ["a.pt"], "half a file is left"
    torch.rand(11)
    again = list(training(cell, tmp_path)())
    assert rows_of(again) == whole
    assert min(stage.fraction for stage in stages(again)) == epochs / cell.epochs


def test_who_was_killed_before_the_end_was_written_trains_nothing_again(tmp_path: Path) -> None:
    first = list(training(EXACT, tmp_path)())
    again = list(training(EXACT, tmp_path)())
    assert rows_of(again) == rows_of(first)
    assert stages(again) == []  # the row of the last epoch is written with how all ended


def test_rows_are_told_as_soon_as_they_exist(tmp_path: Path) -> None:
    readings = list(training(EXACT, tmp_path)())
    told = [stage.row["epoch"] for stage in stages(readings) if stage.row is not None]
    assert told == [0, 1, 2]  # the last comes with how all ended
    assert any("loss" in stage.said for stage in stages(readings))
    last = next(each["rows"] for each in readings if "rows" in each)[-1]
    assert last["rss_peak_bytes"] > 0
    assert last["epoch_seconds"] > 0
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


def trained(task: Stripes, folder: Path) -> list[dict[str, Any]]:
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
    last = next(each["rows"] for each in training(EXACT, tmp_path)() if "rows" in each)[-1]
    assert set(last) <= columns


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
        model = build(task, cell)
        batch = next(iter(task.batches(0)))
        TaskStep(task, model, batch)()
        live = LiveMeter(torch.device("cpu"))
        live.track(batch)
        live.track_model(model)
        live.reset_peak()
        with live:
            TaskStep(task, model, batch)()
        assert SimulatedTask(task, cell).peak_bytes(8) == live.peak_bytes


@pytest.mark.parametrize("cell", [EXACT, XCONV], ids=["exact", "xconv"])
def test_the_simulated_peak_is_held_against_a_real_step(cell: TrainingConfiguration) -> None:
    simulated, checked = SimulatedTraining(MakeStripes(), cell)()
    peak = SimulatedTask(MakeStripes()(), cell).peak_bytes(cell.batch_size)
    assert (simulated, checked) == ({"simulated_peak_bytes": peak}, {"doubt": ""})
    (alone,) = SimulatedTraining(MakeStripes(), cell, cross_check=False)()
    assert alone == simulated


def test_a_wrong_simulation_of_a_task_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    count = SimulatedTask.count

    def half(self: SimulatedTask, batch_size: int) -> Count:
        counted = count(self, batch_size)
        return replace(counted, peak_bytes=counted.peak_bytes // 2)

    monkeypatch.setattr(SimulatedTask, "count", half)
    _, checked = SimulatedTraining(MakeStripes(), EXACT)()
    assert checked["doubt"].endswith("(batch 8 on the CPU)")
    monkeypatch.setattr(cross_check, "_MOST_OPERATIONS", 1)
    _, checked = SimulatedTraining(MakeStripes(), EXACT)()
    assert checked == {"message": "not cross-checked: a small step would take too long"}


def test_equal_memory() -> None:
    """The batch fits, and one more sample does not; exact keeps its own."""
    (found,) = EqualMemoryBatch(MakeStripes(), XCONV, 256)()
    task = MakeStripes()()
    budget = SimulatedTask(task, EXACT).peak_bytes(8)
    peak = SimulatedTask(task, XCONV).peak_bytes
    assert found["batch_size"] > 8
    assert peak(found["batch_size"]) <= budget < peak(found["batch_size"] + 1)
    assert list(EqualMemoryBatch(MakeStripes(), EXACT, 256)()) == [{"batch_size": 8}]


@pytest.mark.parametrize("cell", [XCONV, QUANTIZED], ids=lambda cell: cell.method)
def test_the_first_layer_may_be_left_exact(cell: TrainingConfiguration) -> None:
    from xconv import account

    task = MakeStripes()()
    swapped = {}
    for first in ("exact", "compressed"):
        model = build(task, replace(cell, first=first))
        TaskStep(task, model, next(iter(task.batches(0))))()
        swapped[first] = {entry.name for entry in account(model).swapped}
    assert swapped["compressed"] - swapped["exact"] == {"0"} and "4" in swapped["exact"]
