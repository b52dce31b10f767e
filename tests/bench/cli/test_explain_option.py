"""``memory --explain`` and ``layers --explain`` called in this process."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from own_networks import name

Command = Callable[..., Any]

pytestmark = pytest.mark.usefixtures("in_this_process")
SMALL = ("--model", name("normalized"), "--image-size", 12, "--batch-size", 4, "--no-cross-check")


def explained(output: str) -> list[str]:
    return [line for line in output.splitlines() if line.startswith("what holds your memory")]


def test_memory_tells_what_holds_it_and_tells_it_again(command: Command, tmp_path: Path) -> None:
    options = ("--method", "exact", "--simulate", "--output", tmp_path)
    plain = command("memory", *SMALL, *options)
    assert plain.code == 0 and not explained(plain.output), plain.errors
    finished = command("memory", *SMALL, *options, "--explain")
    assert explained(finished.output) == ["what holds your memory: exact"]
    assert finished.output.startswith(plain.output.partition("\nwritten")[0].rstrip())
    assert finished.errors.count("already measured") == 1  # nothing is written anew
    rows = pd.read_csv(tmp_path / "memory.csv")
    saved = f"{rows.saved_bytes.item() / 2**10:.1f}"
    together = next(line for line in finished.output.splitlines() if line[:8] == "together")
    assert together.split()[2:] == [saved, "KiB", "100", "%"]


def test_layers_tells_it_for_its_methods(command: Command, tmp_path: Path) -> None:
    finished = command("layers", *SMALL, "--method", "exact,checkpoint",
                       "--explain", "--output", tmp_path)  # fmt: skip
    assert finished.code == 0, finished.errors
    assert len(explained(finished.output)) == 2
    assert finished.output.index("the layers that hold") < finished.output.index("what holds your")


def test_a_network_that_fails_is_not_explained(command: Command, tmp_path: Path) -> None:
    finished = command("memory", "--model", name("never_fits"), "--image-size", 8, "--method",
                       "exact", "--simulate", "--explain", "--output", tmp_path)  # fmt: skip
    assert finished.code == 1
    assert "Traceback" not in finished.output + finished.errors
    assert not explained(finished.output)


def test_really_run(command: Command, tmp_path: Path) -> None:
    finished = command("memory", *SMALL, "--method", "exact", "--steps", 1, "--explain",
                       "--output", tmp_path)  # fmt: skip
    assert finished.code == 0, finished.errors
    assert "at the peak, in the" in finished.output
