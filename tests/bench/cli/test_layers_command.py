"""``xconv-bench layers`` called in this process: what it writes, prints and returns."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from own_networks import name

from xconv_bench.results.schema import TABLES

Command = Callable[..., Any]

pytestmark = pytest.mark.usefixtures("in_this_process")
SMALL = ("--model", name("normalized"), "--image-size", 24, "--batch-size", 4)


def test_from_end_to_end_and_again(command: Command, tmp_path: Path) -> None:
    options = ("--method", "exact,xconv,checkpoint,invertible", "--scheme", "independent",
               "--output", tmp_path)  # fmt: skip
    finished = command("layers", *SMALL, *options)
    assert finished.code == 0, finished.errors
    table = pd.read_csv(tmp_path / "layers.csv")
    assert tuple(table.columns) == TABLES["layers"].names
    counts = table.groupby("method").size()
    assert counts["exact"] == counts["xconv"] == 22 < counts["checkpoint"]
    assert list(table[table.method == "invertible"].status) == ["unsupported"]
    peaks = table.groupby("method").layer_peak_bytes.max()
    assert peaks["xconv"] < peaks["exact"]
    assert "the layers that hold the most, by exact" in finished.output
    assert "invertible: unsupported" in finished.output
    assert {path.name for path in (tmp_path / "plots").iterdir()} == {"layers.png", "layers.svg"}

    again = command("layers", *SMALL, *options)
    assert again.output == finished.output and again.errors.count("already measured") == 4


def test_really_run_it_is_the_same(command: Command, tmp_path: Path) -> None:
    for device in ("simulated", "cpu"):
        finished = command(
            "layers", *SMALL, "--method", "exact", "--device", device, "--output", tmp_path / device
        )
        assert finished.code == 0, finished.errors
    one, two = (
        pd.read_csv(tmp_path / device / "layers.csv").drop(columns="device")
        for device in ("simulated", "cpu")
    )
    assert one.equals(two)


def test_a_step_that_fails_is_a_row(command: Command, tmp_path: Path) -> None:
    finished = command("layers", "--model", name("Allocates"), "--image-size", 8, "--method",
                       "exact", "--device", "cpu", "--output", tmp_path)  # fmt: skip
    (row,) = pd.read_csv(tmp_path / "layers.csv").to_dict("records")
    assert (row["status"], row["position"]) == ("oom", 0) and row["message"] in finished.output


@pytest.mark.parametrize("option", ["--probes=x", "--device=tpu", "--model=nosuch"])
def test_mistakes(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    monkeypatch.chdir(tmp_path)
    finished = command("layers", *SMALL, option)
    assert finished.code == 2 and len(finished.errors.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
