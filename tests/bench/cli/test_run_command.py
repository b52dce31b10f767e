"""``xconv-bench run``: several commands into one directory."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from own_networks import name

Command = Callable[..., Any]


def profile(folder: Path, second: str = "max-batch", extra: str = "") -> Path:
    path = folder / "mine.toml"
    path.write_text(
        f"""
        title = "Mine"
        [[run]]
        command = "memory"
        model = "{name("plain")}"
        image-size = 12
        batch-size = [1, 2]
        method = "exact"
        simulate = true
        [[run]]
        command = "{second}"
        model = "{name("plain")}"
        image-size = 12
        method = "exact"
        memory-budget = "1MiB"
        {extra}
        """
    )
    return path


def test_from_end_to_end_and_again(command: Command, tmp_path: Path) -> None:
    path = profile(tmp_path)
    finished = command("run", path, "--output", tmp_path / "run")
    assert finished.code == 0, finished.errors
    assert len(pd.read_csv(tmp_path / "run/memory.csv")) == 2
    assert len(pd.read_csv(tmp_path / "run/max_batch.csv")) == 1
    assert (tmp_path / "run/profile.toml").read_bytes() == path.read_bytes()
    assert "Mine: 2 of 2: max-batch" in finished.errors
    again = command("run", path, "--output", tmp_path / "run")
    assert again.output == finished.output and again.errors.count("already measured") == 3


def test_the_worst_exit_code_counts(command: Command, tmp_path: Path) -> None:
    path = profile(tmp_path, extra="headroom = 0.01")
    assert command("run", path, "--output", tmp_path / "run").code == 1


@pytest.mark.parametrize(
    ("second", "extra", "message"),
    [
        ("measure", "", "command 'measure' is unknown: choose from data, error, "),
        ("run", "", "command 'run' is unknown"),
        ("max-batch", "nosuch = 3", "nosuch"),
        ("max-batch", "max = 0", "--max"),
    ],
)
def test_mistakes_are_found_before_the_first_command(
    command: Command, tmp_path: Path, second: str, extra: str, message: str
) -> None:
    finished = command("run", profile(tmp_path, second, extra), "--output", tmp_path / "run")
    assert finished.code == 2
    (line,) = finished.errors.splitlines()
    assert line.startswith("xconv-bench: ") and message in line
    assert not (tmp_path / "run").exists()
