"""``xconv-bench frontier`` called in this process: what it writes, prints and returns."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from own_networks import name

from xconv_bench.results.schema import TABLES

Command = Callable[..., Any]

pytestmark = pytest.mark.usefixtures("in_this_process")
SMALL = (
    "--model", name("normalized"), "--image-size", 24, "--data", "synthetic", "--samples", 20,
    "--batch-size", 4, "--method", "exact,xconv,checkpoint,invertible", "--scheme", "independent",
    "--probes", 2, "--repeats", 4, "--rounds", 2,
)  # fmt: skip


def test_from_end_to_end_and_again(command: Command, tmp_path: Path) -> None:
    finished = command("frontier", *SMALL, "--output", tmp_path)
    assert finished.code == 0, finished.errors
    table = pd.read_csv(tmp_path / "frontier.csv")
    assert tuple(table.columns) == TABLES["frontier"].names
    memory, error = (pd.read_csv(tmp_path / f"{name}.csv") for name in ("memory", "error"))
    assert list(table.method) == ["exact", "xconv", "checkpoint", "invertible"]
    placed = table[table.status == "ok"]
    assert set(placed.peak_meter) == {"live_peak_bytes"}
    assert list(placed.peak_bytes) == list(memory.live_peak_bytes.dropna())
    whole = error[(error.layer == "all") & (error.status == "ok")]
    assert list(placed.relative_error) == list(whole.relative_error)
    assert set(table[table.method == "invertible"].status) == {"unsupported"}
    exact = table[table.method == "exact"].iloc[0]
    assert exact.peak_ratio == 1 and exact.relative_error == 0
    pictures = {path.name for path in (tmp_path / "plots").glob("*.png")}
    assert pictures == {"frontier_error.png", "frontier_time.png"}

    again = command("frontier", *SMALL, "--output", tmp_path)
    assert again.output == finished.output and again.errors.count("already measured") == 12


def test_the_network_as_a_whole_is_compared(command: Command) -> None:
    finished = command("frontier", *SMALL, "--layer", "0")
    assert finished.code == 2 and "--layer" in finished.errors


def test_a_foreign_table_is_not_overwritten(command: Command, tmp_path: Path) -> None:
    (tmp_path / "frontier.csv").write_text("mine\n")
    finished = command("frontier", *SMALL, "--output", tmp_path)
    assert finished.code == 1 and "is not a table of this version" in finished.errors
    assert (tmp_path / "frontier.csv").read_text() == "mine\n"
    assert not (tmp_path / "error.csv").exists()
