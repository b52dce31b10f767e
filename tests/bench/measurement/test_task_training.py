"""Training from a seed: the same curve again, and the same where it was interrupted."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_task import MakeStripes, Stripes
from torch import Tensor, nn

from xconv_bench.configuration import TrainingConfiguration
from xconv_bench.errors import BenchError, Diverged, Unsupported
from xconv_bench.launch.job import Stage
from xconv_bench.measurement.task_step import EqualMemoryBatch, SimulatedTask, TaskStep, build
from xconv_bench.measurement.task_training import TaskTraining
from xconv_bench.meters.live import LiveMeter
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


def training(cell: TrainingConfiguration, folder: Path) -> TaskTraining:
    return TaskTraining(cell, MakeStripes(cell.seed), folder / "a.pt", folder / "pictures")


def rows_of(readings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    (rows,) = [each["rows"] for each in readings if "rows" in each]
    return [{k: v for k, v in row.items() if k in ("epoch", "loss", "accuracy")} for row in rows]


def stages(readings: list[dict[str, Any]]) -> list[Stage]:
    return [each["progress"] for each in readings if "progress" in each]


@pytest.mark.parametrize("cell", [EXACT, XCONV], ids=["exact", "xconv"])
def test_a_seed_decides_the_curve(tmp_path: Path, cell: TrainingConfiguration) -> None:
    first = list(training(cell, tmp_path)())
    torch.rand(7)
    second = list(training(cell, tmp_path)())
    assert rows_of(first) == rows_of(second)
    assert [row["epoch"] for row in rows_of(first)] == [0, 1, 2, 3]
    other = list(training(replace(cell, seed=1), tmp_path)())
    assert rows_of(other) != rows_of(first)


@pytest.mark.parametrize("cell", [EXACT, XCONV], ids=["exact", "xconv"])
@pytest.mark.parametrize("epochs", [1, 2])
def test_going_on_gives_the_curve_of_who_never_stopped(
    tmp_path: Path, cell: TrainingConfiguration, epochs: int
) -> None:
    whole = rows_of(list(training(cell, tmp_path)()))
    interrupted = training(cell, tmp_path)()
    for readings in interrupted:  # stopped in the middle of the epoch after
        stage = readings.get("progress")
        if stage and stage.fraction > (epochs + 0.4) / cell.epochs:
            break
    interrupted.close()  # type: ignore[attr-defined]
    assert (tmp_path / "a.pt").exists()
    torch.rand(11)
    again = list(training(cell, tmp_path)())
    assert rows_of(again) == whole
    assert min(stage.fraction for stage in stages(again)[1:]) > epochs / cell.epochs
    assert not (tmp_path / "a.pt").exists()


def test_rows_are_told_as_soon_as_they_exist(tmp_path: Path) -> None:
    readings = list(training(EXACT, tmp_path)())
    told = [stage.row["epoch"] for stage in stages(readings) if stage.row is not None]
    assert told == [0, 1, 2]  # the last comes with how all ended
    assert any("loss" in stage.said for stage in stages(readings))
    last = next(each["rows"] for each in readings if "rows" in each)[-1]
    assert last["simulated_peak_bytes"] > 0 and last["rss_peak_bytes"] > 0
    assert last["epoch_seconds"] > 0
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == {"truth.png", "output.png"}


def test_the_first_row_is_that_of_the_weights_before_training(tmp_path: Path) -> None:
    firsts = [rows_of(list(training(cell, tmp_path)()))[0] for cell in (EXACT, XCONV)]
    assert firsts[0] == firsts[1]


class Explodes(Stripes):
    def loss(self, model: nn.Module, batch: Any) -> Tensor:
        return super().loss(model, batch) * float("inf")


def test_a_loss_that_is_not_finite(tmp_path: Path) -> None:
    task = TaskTraining(EXACT, lambda: Explodes(TaskOptions()), tmp_path / "a", tmp_path / "b")
    with pytest.raises(Diverged, match=r"loss is (inf|nan) after epoch 1"):
        list(task())


def test_a_file_that_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(b"mine")
    with pytest.raises(BenchError, match=r"a\.pt is no checkpoint of this training"):
        list(training(EXACT, tmp_path)())


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


def test_equal_memory() -> None:
    """The batch fits, and one more sample does not; exact keeps its own."""
    (found,) = EqualMemoryBatch(MakeStripes(), XCONV, 256)()
    task = MakeStripes()()
    budget = SimulatedTask(task, EXACT).peak_bytes(8)
    peak = SimulatedTask(task, XCONV).peak_bytes
    assert found["batch_size"] > 8
    assert peak(found["batch_size"]) <= budget < peak(found["batch_size"] + 1)
    assert list(EqualMemoryBatch(MakeStripes(), EXACT, 256)()) == [{"batch_size": 8}]


def test_the_first_layer_may_be_left_exact() -> None:
    from xconv import account

    task = MakeStripes()()
    swapped = [entry.name for entry in account(build(task, replace(XCONV, first="exact"))).swapped]
    assert "0" not in swapped and "4" in swapped
    with pytest.raises(Unsupported, match="--first-exact is of xconv"):
        build(task, replace(EXACT, method="quantized", bits=2, compress="conv", first="exact"))
