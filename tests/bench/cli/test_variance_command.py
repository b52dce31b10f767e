"""``xconv-bench variance`` called in this process: what it writes, prints and returns."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from own_networks import name

from xconv_bench.results.schema import TABLES

Command = Callable[..., Any]

pytestmark = pytest.mark.usefixtures("in_this_process")

NETWORK = (
    "--model", name("normalized"), "--image-size", 12, "--data", "synthetic", "--samples", 40,
    "--probes", "2,8", "--minibatches", 4, "--first", "compressed",
)  # fmt: skip
SMALL = (*NETWORK, "--batch-size", "4,8", "--scheme", "independent,multi")
SMALLER = (*NETWORK, "--batch-size", 8, "--scheme")


def test_from_end_to_end_and_again(command: Command, tmp_path: Path) -> None:
    finished = command("variance", *SMALL, "--output", tmp_path / "run")
    assert finished.code == 0, finished.errors
    table = pd.read_csv(tmp_path / "run/variance.csv")
    assert tuple(table.columns) == TABLES["variance"].names
    assert list(table["layer"]) == ["0", "4", "all"] * 10
    assert set(table["status"]) == {"ok"}
    probed = table[table.method == "xconv"]
    assert (probed["estimator_variance"] > 0).all()
    # Minibatches are the same for all methods, and so is what they cause.
    by_batch = table.groupby(["batch_size", "layer"])["sampling_variance"]
    assert (by_batch.max() == by_batch.min()).all()

    single = pd.read_csv(tmp_path / "run/estimates.csv")
    assert tuple(single.columns) == TABLES["estimates"].names
    assert (single["exact_low"] < single["exact_high"]).all()
    laws = pd.read_csv(tmp_path / "run/variance_law.csv")
    assert tuple(laws.columns) == TABLES["variance_law"].names
    assert len(laws) == 2 * 2 * 3 and (laws["exponent"] < 0).all()

    answers = [line for line in finished.output.splitlines() if " the estimator adds " in line]
    assert len(answers) == 4
    pictures = {path.stem for path in (tmp_path / "run/plots").glob("*.png")}
    assert {"estimates_batch4", "estimates_batch8", "variance_ratio_batch8"} < pictures

    again = command("variance", *SMALL, "--output", tmp_path / "run")
    assert again.output == finished.output
    assert again.errors.count("already measured") == 10

    elsewhere = command("variance", *SMALLER, "multi", "--output", tmp_path / "other")
    assert elsewhere.code == 0
    same = table[(table.batch_size == 8) & (table.scheme != "independent")].reset_index(drop=True)
    other = pd.read_csv(tmp_path / "other/variance.csv")
    pd.testing.assert_frame_equal(other, same, check_exact=True)


@pytest.mark.usefixtures("unpainted")
def test_the_target(command: Command, tmp_path: Path) -> None:
    smallest = []
    for target in (1, 0.5):
        words = (*SMALLER, "independent", "--target-ratio", target, "--output", tmp_path)
        finished = command("variance", *words)
        assert finished.code == 0, finished.errors
        smallest.append(pd.read_csv(tmp_path / "variance_law.csv")["smallest_probes"])
    assert (smallest[1] >= smallest[0]).all() and (smallest[1] > smallest[0]).any()


@pytest.mark.usefixtures("unpainted")
def test_the_laws_of_earlier_runs_stay(command: Command, tmp_path: Path) -> None:
    for scheme in ("independent", "multi"):
        finished = command("variance", *SMALLER, scheme, "--output", tmp_path)
        assert finished.code == 0, finished.errors
    laws = pd.read_csv(tmp_path / "variance_law.csv")
    assert set(laws["scheme"]) == {"independent", "multi"}
    # 8 of 40 samples: said, since minibatches then vary less than fresh ones would.
    assert "a minibatch is 20% of the data" in finished.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--repeats", "1"], "--repeats"),
        (["--minibatches", "1"], "--minibatches"),
        (["--target-ratio", "0"], "--target-ratio"),
        (["--layer", "first"], "--layer 'first' is unknown"),
        (["--batch-size", "40"], "--batch-size 40 is all of the data: its minibatches do not vary"),
        (["--batch-size", "41"], "--batch-size 41 is larger than the data, 40 samples"),
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
    finished = command("variance", *SMALL, *options)
    assert finished.code == 2
    (line,) = finished.errors.splitlines()
    assert line.startswith("xconv-bench: ") and message in line
    assert list(tmp_path.iterdir()) == []


def test_a_foreign_table_is_not_overwritten(command: Command, tmp_path: Path) -> None:
    (tmp_path / "variance_law.csv").write_text("mine\n")
    finished = command("variance", *SMALL, "--output", tmp_path)
    assert finished.code == 1 and "is not a table of this version" in finished.errors
    assert (tmp_path / "variance_law.csv").read_text() == "mine\n"
