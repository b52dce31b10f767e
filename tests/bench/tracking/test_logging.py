"""``--log``: what TensorBoard and MLflow read of a training, and what becomes of failures."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from xconv_bench import tracking
from xconv_bench.configuration import MemoryConfiguration, TrainingConfiguration
from xconv_bench.errors import BenchError, UsageError
from xconv_bench.naming import cell_name, training_name
from xconv_bench.tracking.destination import Destination
from xconv_bench.tracking.logger import Logger
from xconv_bench.tracking.mlflow_runs import MlflowRuns
from xconv_bench.tracking.tensorboard_files import TensorboardFiles

CELL = TrainingConfiguration("tiny", "xconv", "multi", probes=4, epochs=2)
EPOCHS = [{"epoch": 0, "accuracy": 0.1}, {"epoch": 1, "loss": 2.0, "accuracy": 0.5}]
LAST = {
    **CELL.key, "epoch": 2, "loss": 1.0, "accuracy": 0.9, "simulated_peak_bytes": 512,
    "psnr_db": None, "dice": float("nan"), "status": "ok", "message": "a remark",
}  # fmt: skip


class Recorded(Destination):
    """Keeps what it is told; fails at a step that it is told to fail at."""

    form = "recorded:X"

    def __init__(self, where: str = "", experiment: str = "", failing: int | None = None) -> None:
        self.told: list[tuple[Any, ...]] = []
        self._failing = failing

    @classmethod
    def check(cls) -> None:
        pass

    def begin(self, run: str, parameters: Mapping[str, Any]) -> None:
        self.told.append(("begin", parameters["probes"]))

    def log(self, run: str, metrics: Mapping[str, float], step: int) -> None:
        if step == self._failing:
            raise ConnectionError("the server is gone")
        self.told.append(("log", dict(metrics), step))

    def end(
        self, run: str, metrics: Mapping[str, float], step: int, status: str, note: str
    ) -> None:
        self.told.append(("end", dict(metrics), step, status, note))

    def close(self) -> None:
        self.told.append(("close",))


def log_all(logger: Logger) -> None:
    logger.wrote(CELL, EPOCHS)
    logger.finished(CELL, LAST, False)
    logger.close()


def test_settings_once_then_every_epoch_and_the_last_row() -> None:
    destination, said = Recorded(), []
    log_all(Logger("recorded:", destination, said.append))
    assert destination.told == [
        ("begin", 4),
        ("log", {"accuracy": 0.1}, 0),
        ("log", {"loss": 2.0, "accuracy": 0.5}, 1),
        ("end", {"loss": 1.0, "accuracy": 0.9, "simulated_peak_bytes": 512.0}, 2, "ok", "a remark"),
        ("close",),
    ]
    assert said == []


def test_what_was_measured_earlier_is_not_logged_again() -> None:
    destination = Recorded()
    Logger("recorded:", destination, print).finished(CELL, LAST, True)
    assert destination.told == []


def test_a_tracker_that_fails_costs_nothing_but_its_log() -> None:
    destination, said = Recorded(failing=1), []
    log_all(Logger("recorded:x", destination, said.append))
    assert [each[0] for each in destination.told] == ["begin", "log", "close"]
    assert len(said) == 1 and "--log recorded:x stopped: ConnectionError" in said[0]


def test_names_of_runs_are_those_of_one_cell() -> None:
    cells = [
        CELL,
        TrainingConfiguration("tiny", "xconv", "multi", probes=4, epochs=3),
        MemoryConfiguration("tiny", "xconv", "multi", probes=4),
        MemoryConfiguration("x" * 300, "exact"),
        MemoryConfiguration("x" * 301, "exact"),
    ]
    names = [cell_name(cell.key) for cell in cells]
    assert len(set(names)) == len(names) and max(map(len, names)) < 200
    assert "xconv-multi-r=4" in names[0] and "/" not in "".join(names)
    long = [TrainingConfiguration(letter * 300, epochs=2) for letter in "xy"]
    files = {training_name(cell.key) for cell in long}
    assert len(files) == 2 and max(map(len, files)) < 200


def test_event_files_are_read_back(tmp_path: Path) -> None:
    reading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with tracking.opened([f"tensorboard:{tmp_path}"], "train", print) as (logger,):
        log_all(logger)
    folder = tmp_path / "train" / cell_name(CELL.key)
    events = reading.EventAccumulator(str(folder))
    events.Reload()
    curve = [(each.step, each.value) for each in events.Scalars("accuracy")]
    assert curve == [(0, pytest.approx(0.1)), (1, 0.5), (2, pytest.approx(0.9))]
    assert [each.value for each in events.Scalars("simulated_peak_bytes")] == [512.0]
    assert "dice" not in events.Tags()["scalars"]
    hparams = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    assert b"probes" in hparams and b"multi" in hparams
    (text,) = events.Tensors("message/text_summary")
    assert text.tensor_proto.string_val == [b"a remark"]


def test_runs_of_mlflow_are_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.chdir(tmp_path)
    # A folder, since MLflow takes ten seconds to make a data base.
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    uri = f"{tmp_path}/runs"
    MlflowRuns.check()
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    with tracking.opened([f"mlflow:{uri}"], "train", print) as (logger,):
        log_all(logger)
    other = TrainingConfiguration("tiny", seed=1, epochs=2)
    with tracking.opened([f"mlflow:{uri}"], "train", print) as (logger,):
        logger.wrote(other, EPOCHS)  # and is interrupted
        logger.finished(TrainingConfiguration("odd"), {"status": "oom", "message": ""}, False)
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("xconv-bench train")
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    run = runs[cell_name(CELL.key)]
    assert run.data.params["probes"] == "4" and run.data.params["model"] == "tiny"
    history = client.get_metric_history(run.info.run_id, "accuracy")
    assert [(each.step, each.value) for each in history] == [(0, 0.1), (1, 0.5), (2, 0.9)]
    assert run.data.metrics["simulated_peak_bytes"] == 512
    assert run.data.tags["mlflow.note.content"] == "a remark"
    assert run.info.status == "FINISHED"
    assert runs[cell_name(other.key)].info.status == "KILLED"
    assert runs[cell_name(TrainingConfiguration("odd").key)].info.status == "FAILED"


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("wandb:x", "'wandb' is unknown: choose from mlflow, tensorboard"),
        ("tensorbord:x", "did you mean 'tensorboard'?"),
        ("runs", "'runs' is unknown"),
        ("tensorboard:", "expected tensorboard:FOLDER"),
        ("mlflow:", "expected mlflow:URI"),
    ],
)
def test_a_place_that_is_none_is_one_line(
    command: Callable[..., Any], place: str, words: str
) -> None:
    refused = command("train", "--task", "inpainting", "--log", place)
    assert refused.code == 2 and words in " ".join(refused.errors.split())


@pytest.mark.parametrize(
    ("destination", "module", "extra"),
    [
        (TensorboardFiles, "torch.utils.tensorboard", "tensorboard"),
        (MlflowRuns, "mlflow", "mlflow"),
    ],
)
def test_without_the_package_the_message_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, destination: type[Destination], module: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError, match=rf"pip install 'xconv-bench\[{extra}\]'"):
        destination.check()


def test_a_place_that_cannot_be_opened_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    with (
        pytest.raises(BenchError, match="--log mlflow:nonsense://x: "),
        tracking.opened(["mlflow:nonsense://x"], "train", print),
    ):
        pass
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(BenchError, match="--log tensorboard:"),
        tracking.opened([f"tensorboard:{tmp_path}/file"], "train", print),
    ):
        pass


def test_a_profile_is_logged(command: Callable[..., Any], tmp_path: Path) -> None:
    reading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    profile = tmp_path / "small.toml"
    profile.write_text(
        """
        title = "small"
        [[experiment]]
        command = "memory"
        model = "conv:2"
        method = "exact"
        image-size = 8
        batch-size = 2
        device = "simulated"
        cross-check = false
        """
    )
    words = ("run", profile, "--output", tmp_path / "run", "--log", f"tensorboard:{tmp_path}/tb")
    finished = command(*words)
    assert finished.code == 0, finished.errors
    (folder,) = (tmp_path / "tb" / "memory").iterdir()
    events = reading.EventAccumulator(str(folder))
    events.Reload()
    (peak,) = pd.read_csv(tmp_path / "run" / "memory.csv").simulated_peak_bytes
    assert [each.value for each in events.Scalars("simulated_peak_bytes")] == [peak]
