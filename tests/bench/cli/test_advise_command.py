"""``xconv-bench advise`` called in this process: the plan, what it says of it, who takes it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from own_networks import name

from xconv import Plan
from xconv_bench.results.schema import TABLES

Command = Callable[..., Any]

pytestmark = pytest.mark.usefixtures("in_this_process")
DATA = ("--image-size", 24, "--data", "synthetic", "--samples", 20, "--batch-size", 4)
SMALL = ("--model", name("normalized"), *DATA, "--repeats", 4, "--rounds", 1, "--device", "cpu")


def test_from_end_to_end_and_again(command: Command, tmp_path: Path) -> None:
    given = (*SMALL, "--memory-budget", "195KiB", "--output", tmp_path)
    finished = command("advise", *given)
    assert finished.code == 0, finished.errors
    table = pd.read_csv(tmp_path / "advice.csv")
    assert tuple(table.columns) == TABLES["advice"].names
    whole = table[table.layer == "all"].iloc[0]
    assert whole.predicted_peak_bytes <= 195 * 1024
    assert whole.predicted_peak_bytes == pytest.approx(whole.peak_bytes, rel=0.02)
    # Two seeds predict, eight measure: of thousands of errors each.
    assert 1 / 3 < whole.relative_error / whole.predicted_error < 3
    parts = table[table.layer != "all"].predicted_error
    assert (parts**2).sum() ** 0.5 == pytest.approx(whole.predicted_error)
    assert "predicted" in finished.output and str(tmp_path / "plan.toml") in finished.output
    plan = Plan.read(tmp_path / "plan.toml")
    assert {layer for layer in plan.layers if plan.layers[layer].norm_bits} == {"1"}

    again = command("advise", *given)
    assert again.output == finished.output and again.errors.count("already measured") == 7
    other = command("advise", *SMALL, "--error", "0.2", "--output", tmp_path)
    assert other.code == 0, other.errors
    assert list(pd.read_csv(tmp_path / "advice.csv").target_error.unique()) == [0.2]

    plan.write(tmp_path / "mine.toml")
    taken = command(
        "memory", "--model", name("normalized"), "--image-size", 24, "--batch-size", 4,
        "--plan", tmp_path / "mine.toml", "--simulate", "--output", tmp_path / "memory",
    )  # fmt: skip
    assert taken.code == 0, taken.errors
    rows = pd.read_csv(tmp_path / "memory" / "memory.csv")
    assert list(rows.method) == ["exact", "xconv"] and "mine.toml@" in taken.output
    assert rows.simulated_peak_bytes[1] == whole.predicted_peak_bytes


def test_where_nothing_fits_it_says_by_how_much_and_what_would(
    command: Command, tmp_path: Path
) -> None:
    finished = command("advise", *SMALL, "--memory-budget", "100KiB", "--output", tmp_path)
    assert finished.code == 1 and not (tmp_path / "plan.toml").exists()
    said = finished.errors.splitlines()[-1]
    assert "no plan fits into 100 KiB: the smallest has a peak of" in said
    needed = int(said.partition("--memory-budget ")[2].split()[0])
    assert 150 * 1024 < needed < 195 * 1024
    assert f"--memory-budget {needed} would do, and a batch of 1 would" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "give one of --memory-budget and --error"),
        (("--memory-budget", "1GiB", "--error", "0.1"), "give one of --memory-budget and --error"),
        (("--memory-budget", "much"), "--memory-budget 'much': expected a size"),
        (("--error", "0.1", "--batch-size", "2,4"), "a plan is for one network and one batch"),
    ],
)
def test_mistakes(command: Command, words: tuple[str, ...], said: str) -> None:
    finished = command("advise", *SMALL, *words)
    assert finished.code == 2 and said in finished.errors


@pytest.mark.parametrize(
    ("text", "said"),
    [(None, "No such file or directory; give a TOML file that"), ("a = 1", "'a' is unk")],
)
def test_a_file_that_holds_no_plan(
    command: Command, tmp_path: Path, text: str | None, said: str
) -> None:
    if text is not None:
        (tmp_path / "plan.toml").write_text(text)
    finished = command("memory", "--model", name("plain"), "--plan", tmp_path / "plan.toml")
    assert finished.code == 2 and said in finished.errors
    assert len(finished.errors.splitlines()) == 1


def test_a_plan_for_another_network(command: Command, tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text("[layers.nowhere]\nswapped = true\n")
    finished = command(
        "memory", "--model", name("plain"), "--plan", tmp_path / "plan.toml", "--simulate",
        "--image-size", 24, "--batch-size", 2, "--output", tmp_path / "run",
    )  # fmt: skip
    table = pd.read_csv(tmp_path / "run" / "memory.csv")
    assert list(table.status) == ["ok", "unsupported"], finished.errors
    assert "the plan names 'nowhere'" in table.message[1]
