"""``xconv-bench runtime`` called in this process: what it writes, prints and returns."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from xconv_bench.results.schema import TABLES

Command = Callable[..., Any]
SMALL = (
    "--model", "conv:2,conv:3", "--image-size", "4,8", "--batch-size", 2, "--rounds", 6,
)  # fmt: skip


def test_from_end_to_end_and_again(command: Command, tmp_path: Path) -> None:
    finished = command("runtime", *SMALL, "--probes", "1,2", "--output", tmp_path)
    assert finished.code == 0, finished.errors
    table = pd.read_csv(tmp_path / "runtime.csv")
    assert tuple(table.columns) == TABLES["runtime"].names
    assert list(table.method) == ["exact", "xconv", "xconv"] * 4
    exact, probed = table[table.method == "exact"], table[table.method == "xconv"]
    assert exact.step_ratio.isna().all() and (probed.step_ratio > 0).all()
    assert (probed.step_ratio_low <= probed.step_ratio).all()
    assert (table.step_seconds >= table.forward_seconds).all()
    assert " is quicker than exact in " in finished.output
    assert {path.name for path in (tmp_path / "plots").iterdir()} == {"runtime.png", "runtime.svg"}

    again = command("runtime", *SMALL, "--probes", "1,2", "--output", tmp_path)
    assert again.output == finished.output and again.errors.count("already measured") == 12


def test_a_group_with_something_missing_is_measured_whole(command: Command, tmp_path: Path) -> None:
    command("runtime", *SMALL, "--probes", 1, "--output", tmp_path)
    before = pd.read_csv(tmp_path / "runtime.csv")
    finished = command("runtime", *SMALL, "--probes", "1,2", "--output", tmp_path)
    assert "already measured" not in finished.errors
    table = pd.read_csv(tmp_path / "runtime.csv")
    assert len(before) == 8 and len(table) == 12


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--grid", "mine"], "--grid 'mine' is unknown: choose from paper"),
        (["--rounds", "0"], "--rounds"),
        (["--model", "conv:0"], "'conv:0' names no layer"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes(
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    finished = command("runtime", *SMALL, *options)
    assert finished.code == 2
    (line,) = finished.errors.splitlines()
    assert line.startswith("xconv-bench: ") and message in line
    assert list(tmp_path.iterdir()) == []
