"""``xconv-bench train``, from end to end."""

import importlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from own_networks import BLOCKER, name
from processes import wait_until

ROOT = Path(__file__).resolve().parents[3]
Command = Callable[..., Any]
HAS_TENSORBOARD = importlib.util.find_spec("tensorboard") is not None
pytestmark = pytest.mark.usefixtures("in_this_process")
CHEAP = ("--epochs", "1", "--probes", "4", "--device", "cpu", "--scheme", "independent")
SMALL = (
    "train", "--task", "classification", "--model", name("Classifies"), "--image-size", "12",
    "--batch-size", "512", *CHEAP,
)  # fmt: skip
"""Two steps an epoch."""


def test_from_end_to_end_and_again(command: Command, tmp_path: Path) -> None:
    run, log = tmp_path / "run", tmp_path / "log"
    words = ["train", "--task", "segmentation-3d", "--image-size", "8", "--batch-size", "48"]
    words += [*CHEAP, "--first", "exact,compressed", "--no-cross-check"]
    words += ["--log", f"tensorboard:{log}"] if HAS_TENSORBOARD else []
    finished = command(*words, "--output", run)
    assert finished.code == 0, finished.errors
    table = pd.read_csv(run / "training.csv")
    assert list(table["epoch"]) == [0, 1] * 3
    assert list(table["method"]) == ["exact"] * 2 + ["xconv"] * 4
    assert list(table["first"].fillna("-")) == ["-"] * 2 + ["exact"] * 2 + ["compressed"] * 2
    assert table["dice"][0] == table["dice"][2], "not from the same weights"
    assert table["dice"].between(0, 1).all()
    assert (
        "by unet3d, batch 48, 8 px, float32, cpu, 1 epoch, learning rate 0.003\n" in finished.output
    )
    for picture in ("training_segmentation-3d.png", "made_segmentation-3d.svg"):
        assert (run / "plots" / picture).exists()
    assert not list((run / "checkpoints").iterdir())
    check_logged(log, table)
    again = command(*words, "--output", run)
    assert again.code == 0 and again.errors.count("already measured") == 3
    check_logged(log, table)
    assert again.output == finished.output
    reported = command("report", run)
    assert reported.code == 0
    page = (run / "report.html").read_text()
    assert "Training with each method" in page and "largest Dice" in page
    assert json.loads((run / "environment.json").read_text())["seed"] == 0


def check_logged(log: Path, table: pd.DataFrame) -> None:
    """Check that each training's curve is in the files of TensorBoard, where that is installed."""
    if not HAS_TENSORBOARD:
        return
    reading = importlib.import_module("tensorboard.backend.event_processing.event_accumulator")
    curves = []
    for folder in (log / "train").iterdir():
        events = reading.EventAccumulator(str(folder))
        events.Reload()
        assert len(events.Scalars("simulated_peak_bytes")) == 1
        curves.append([(each.step, round(each.value, 5)) for each in events.Scalars("dice")])
    dice = [round(value, 5) for value in table["dice"]]
    assert sorted(curves) == sorted(
        [(0, a), (1, b)] for a, b in zip(dice[::2], dice[1::2], strict=True)
    )


def curve(run: Path) -> pd.DataFrame:
    """Return what a seed decides of a training."""
    table = pd.read_csv(run / "training.csv").sort_values(["method", "epoch"])
    return table[["method", "epoch", "status", "loss", "accuracy"]].reset_index(drop=True)


def test_killed_in_the_middle_it_goes_on_to_the_same_curve(
    command: Command, tmp_path: Path
) -> None:
    words = [*SMALL, "--epochs", "3", "--method", "xconv"]
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    blocker = tmp_path / "blocker"
    blocker.touch()
    process = subprocess.Popen(
        [sys.executable, "-m", "xconv_bench", *words, "--output", str(killed)],
        env={**os.environ, "PYTHONPATH": str(ROOT), BLOCKER: str(blocker)}, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        table = killed / "training.csv"
        assert wait_until(lambda: table.exists() and len(table.read_text().splitlines()) > 2)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert len(pd.read_csv(table)) < 4
    assert command(*words, "--output", killed).code == 0
    assert command(*words, "--output", whole).code == 0
    pd.testing.assert_frame_equal(curve(killed), curve(whole), check_exact=True)


def test_equal_memory_takes_larger_batches_and_rates(command: Command, tmp_path: Path) -> None:
    finished = command(*SMALL, "--batch-size", "64", "--equal-memory", "--output", tmp_path / "run")
    assert finished.code == 0, finished.errors
    table = pd.read_csv(tmp_path / "run/training.csv").groupby("method").last()
    assert table["equal_memory"].eq(1).all()
    exact, xconv = table.loc["exact"], table.loc["xconv"]
    assert exact["batch_size"] == 64 and xconv["batch_size"] > 64
    ratio = (xconv["batch_size"] / 64) ** 0.5
    assert xconv["learning_rate"] / exact["learning_rate"] == pytest.approx(ratio, rel=0.01)
    assert xconv["simulated_peak_bytes"] <= exact["simulated_peak_bytes"]


def test_where_nothing_was_trained_to_its_end(command: Command, tmp_path: Path) -> None:
    words = [*SMALL, "--method", "exact", "--learning-rate", "1e30", "--output", tmp_path / "run"]
    finished = command(*words)
    assert finished.code == 1
    assert "diverged" in finished.output and list((tmp_path / "run/checkpoints").glob("*")) == []


def test_a_dry_run_of_a_profile(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        """
        title = "Mine"
        [[experiment]]
        command = "train"
        image-size = 12
        method = "exact"
        seeds = 2
        """
    )
    finished = command("run", path, "--dry-run")
    assert finished.code == 0, finished.errors
    assert "in all: 2 measurements, about" in finished.output
    assert finished.output.count(" KiB") >= 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "segmentaton"], "--task 'segmentaton' is unknown: did you mean"),
        (["--task", "inpainting", "--equal-memory"], "inpainting trains on one image"),
        (["--task", "inpainting", "--batch-size", "3"], "inpainting is of one image"),
        (["--data", "mnist"], "--data mnist needs --data-dir"),
        (["--seeds", "0"], "--seeds"),
        (["--learning-rate", "0"], "--learning-rate 0 trains nothing"),
        (["--device", "simulated"], "--device simulated: this command computes"),
        (["--task", "generation", "--download"], "leave out --data-dir and --download"),
        (["--method", "exakt"], "--method 'exakt' is unknown"),
        (["--model", "resnet"], "resnet"),
        (["--device", "gpu"], "--device 'gpu' is unknown"),
    ],
)
def test_mistakes(command: Command, arguments: list[str], message: str) -> None:
    finished = command("train", *arguments)
    assert finished.code == 2 and message in finished.errors
    assert len(finished.errors.splitlines()) == 1


def test_mnist_in_a_folder_that_has_none(command: Command, tmp_path: Path) -> None:
    finished = command("train", "--data", "mnist", "--data-dir", tmp_path)
    assert finished.code == 2 and "MNIST is not there or not whole" in finished.errors
