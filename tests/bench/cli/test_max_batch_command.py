"""``xconv-bench max-batch`` called in this process: what it writes, prints and returns."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from own_networks import name

from xconv_bench.results.schema import TABLES

Command = Callable[..., Any]

pytestmark = pytest.mark.usefixtures("in_this_process")
SMALL = ("--model", name("plain"), "--image-size", "12,24", "--memory-budget", "1MiB")


def test_from_end_to_end_and_again(command: Command, tmp_path: Path) -> None:
    options = ("--method", "exact,xconv,checkpoint,offload,invertible", "--scheme", "independent",
               "--no-cross-check", "--output", tmp_path)  # fmt: skip
    finished = command("max-batch", *SMALL, *options)
    assert finished.code == 0, finished.errors
    table = pd.read_csv(tmp_path / "max_batch.csv")
    assert tuple(table.columns) == TABLES["max_batch"].names and "batch_size" not in table.columns
    sizes = table.pivot(index="method", columns="image_size", values="max_batch_size")
    assert (sizes.loc["xconv"] > sizes.loc["exact"]).all()
    assert (sizes[12] > sizes[24])[["exact", "xconv", "checkpoint", "offload"]].all()
    assert set(table[table.method == "invertible"].status) == {"unsupported"}
    assert (table.simulated_peak_bytes.dropna() <= 0.92 * 2**20).all()
    assert "largest batch" in finished.output and "×)" in finished.output

    again = command("max-batch", *SMALL, *options)
    assert again.output == finished.output and again.errors.count("already measured") == 10


def test_what_does_not_fit_is_a_row(command: Command, tmp_path: Path) -> None:
    finished = command(
        "max-batch", *SMALL, "--memory-budget", "1KiB", "--method", "exact", "--output", tmp_path
    )
    assert finished.code == 1
    table = pd.read_csv(tmp_path / "max_batch.csv")
    assert set(table.status) == {"oom"} and table.max_batch_size.isna().all()
    assert "for a batch of one sample" in finished.output


def test_no_more_than_max(command: Command, tmp_path: Path) -> None:
    finished = command("max-batch", *SMALL, "--method", "exact", "--max", 3, "--output", tmp_path)
    assert set(pd.read_csv(tmp_path / "max_batch.csv").max_batch_size) == {3}
    assert "--max" in finished.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--device", "cpu"], "--device cpu has no allocator to ask"),
        (["--verify"], "--verify trains with the answer: it needs --device cuda"),
        (["--memory-budget", "much"], "--memory-budget 'much'"),
        (["--headroom", "0"], "--headroom"),
        (["--max", "0"], "--max"),
        (["--batch-size", "3"], "--batch-size"),
        (["--keep", "1.5"], "--keep '1.5': expected a number above 0 and up to 1"),
        (["--method", "quantized", "--bits", "3"], "--bits 3: quantized takes 1, 2, 4 or 8"),
        (["--segments", "0"], "--segments '0': expected an integer of 1 or more"),
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
    finished = command("max-batch", *SMALL, *options)
    assert finished.code == 2
    (line,) = finished.errors.splitlines()
    assert line.startswith("xconv-bench: ") and message in line
    assert list(tmp_path.iterdir()) == []
