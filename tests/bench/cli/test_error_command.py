"""``xconv-bench error`` called in this process: what it writes, prints and returns."""

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
    "--model", name("normalized"), "--image-size", 12, "--data", "synthetic", "--samples", 20,
    "--batch-size", 4, "--scheme", "independent,multi", "--probes", 2, "--first", "compressed",
)  # fmt: skip


def measure(command: Command, folder: Path, *options: object) -> Any:
    return command("error", *SMALL, "--repeats", 8, *options, "--output", folder)


def test_from_end_to_end_and_again(command: Command, tmp_path: Path) -> None:
    finished = measure(
        command, tmp_path / "run", "--repeats", 32, "--bias-test", "--first", "compressed"
    )
    assert finished.code == 0, finished.errors
    table = pd.read_csv(tmp_path / "run/error.csv")
    assert tuple(table.columns) == TABLES["error"].names
    assert list(table["layer"]) == ["0", "4", "all"] * 3
    assert list(table["method"]) == ["exact"] * 3 + ["xconv"] * 6
    assert set(table["status"]) == {"ok"}
    exact, probed = table[table.method == "exact"], table[table.method == "xconv"]
    assert (exact["relative_error"] == 0).all() and (probed["relative_error"] > 0.1).all()
    assert set(probed["bias_verdict"]) == {"unbiased"} and set(exact["bias_verdict"]) == {"exact"}
    assert "unbiased" in finished.output and "written: " in finished.output
    pictures = {path.name for path in (tmp_path / "run/plots").iterdir()}
    assert pictures == {"error.png", "error.svg", "error_bytes.png", "error_bytes.svg"}

    again = measure(
        command, tmp_path / "run", "--repeats", 32, "--bias-test", "--first", "compressed"
    )
    assert again.output == finished.output
    assert again.errors.count("already measured") == 3

    elsewhere = measure(command, tmp_path / "other", "--repeats", 32, "--first", "compressed")
    assert pd.read_csv(tmp_path / "other/error.csv").equals(table), elsewhere.errors


def test_weights_and_warm_up_are_rows_of_their_own(command: Command, tmp_path: Path) -> None:
    initial = measure(command, tmp_path, "--method", "exact")
    trained = measure(command, tmp_path, "--method", "exact", "--warmup-steps", 2)
    assert initial.code == trained.code == 0, trained.errors
    assert "warm-up of 2 steps" in trained.errors
    (weights,) = (tmp_path / "weights").iterdir()
    table = pd.read_csv(tmp_path / "error.csv")
    assert list(table["warmup_steps"]) == [0] * 3 + [2] * 3
    assert table["gradient_norm"].nunique() == 6
    from_file = measure(command, tmp_path, "--method", "exact", "--weights", weights)
    assert from_file.code == 0, from_file.errors
    table = pd.read_csv(tmp_path / "error.csv")
    assert list(table["gradient_norm"][3:6]) == list(table["gradient_norm"][6:])


def test_weights_that_were_changed_are_measured_again(command: Command, tmp_path: Path) -> None:
    import torch
    from own_networks import normalized

    file = tmp_path / "mine.pt"
    for _ in range(2):
        torch.save(normalized().state_dict(), file)
        for known in (0, 1):
            options = ("--method", "exact", "--weights", file)
            finished = measure(command, tmp_path / "run", *options)
            assert finished.errors.count("already measured") == known
    table = pd.read_csv(tmp_path / "run/error.csv")
    assert table["weights"].nunique() == 2 and table["gradient_norm"].nunique() == 6
    assert table["weights"].str.startswith(f"{file}#").all()


def test_chosen_layers(command: Command, tmp_path: Path) -> None:
    finished = measure(command, tmp_path, "--layer", "4")
    by_layer = finished.output.partition("layer by layer")[2]
    assert "\n4 " in by_layer and "\n0 " not in by_layer and "\nall " in by_layer
    assert set(pd.read_csv(tmp_path / "error.csv")["layer"]) == {"0", "4", "all"}


def test_the_average_error(command: Command, tmp_path: Path) -> None:
    finished = measure(command, tmp_path, "--age")
    assert finished.code == 0, finished.errors
    table = pd.read_csv(tmp_path / "age.csv")
    assert tuple(table.columns) == TABLES["age"].names
    assert set(table["minibatch_count"]) == {5} and table["memory_budget_bytes"].isna().all()
    assert "batch normalisation: the full gradient is the mean over batches of 4" in finished.output
    assert {path.name for path in (tmp_path / "plots").iterdir()} == {"age.png", "age.svg"}


def test_the_average_error_at_a_budget(command: Command, tmp_path: Path) -> None:
    finished = measure(
        command, tmp_path, "--age", "--memory-budget", "300KiB", "--headroom", 1, "--samples", 60
    )
    assert finished.code == 0, finished.errors
    table = pd.read_csv(tmp_path / "age.csv")
    whole = table[table.layer == "all"].set_index("scheme", drop=False)
    assert set(whole["memory_budget_bytes"]) == {300 * 1024}
    exact = whole[whole.method == "exact"].batch_size.item()
    assert 1 < exact < whole.loc["multi"].batch_size


def test_a_budget_that_nothing_fits_is_a_row(command: Command, tmp_path: Path) -> None:
    options = ("--age", "--memory-budget", "1KiB", "--method", "exact")
    for _ in range(2):
        finished = measure(command, tmp_path, *options)
        assert finished.code == 1
        (row,) = pd.read_csv(tmp_path / "age.csv").to_dict("records")
        assert (row["status"], row["layer"], row["batch_size"]) == ("oom", "all", 1)
        assert "needs" in row["message"] and row["message"] in finished.output


def test_what_is_not_finite_is_a_row(command: Command, tmp_path: Path) -> None:
    finished = command(
        "error", "--model", name("overflows"), "--image-size", 3, "--batch-size", 2, "--samples", 4,
        "--data", "synthetic", "--compress", "conv", "--output", tmp_path,
    )  # fmt: skip
    assert finished.code == 1
    table = pd.read_csv(tmp_path / "error.csv")
    assert set(table["status"]) == {"error"} and set(table["layer"]) == {"all"}
    assert table["message"].str.contains("gradient of 0 is not finite").all()
    assert "is not finite" in finished.output and "Traceback" not in finished.errors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--layer", "nosuch"], "--layer 'nosuch' is unknown"),
        (["--data", "photo"], "--data 'photo' is unknown"),
        (["--data", "mnist"], "--data mnist needs --data-dir"),
        (["--data", "imagefolder", "--data-dir", "empty"], "--data-dir empty: "),
        (["--data", "digits", "--batch-size", "2000"], "larger than the data, 20 samples of d"),
        (["--samples", "0"], "--samples"),
        (["--repeats", "1"], "--repeats"),
        (["--repeats", "31", "--bias-test"], "--repeats 31: expected 32 or more"),
        (["--weights", "nosuch.pt"], "nosuch.pt cannot be read: No such file or dir"),
        (["--weights", "torchvision"], "torchvision"),
        (["--memory-budget", "16GiB"], "--age"),
        (["--age", "--memory-budget", "lots"], "--memory-budget"),
        (["--headroom", "0.9"], "--headroom is a part of --memory-budget"),
        (["--age", "--layer", "4"], "leave out --bias-test and --layer"),
        (["--data", "digits", "--data-dir", "empty"], "--data-dir needs --data, one of mnist"),
        (["--headroom", "2"], "--headroom"),
        (["--scheme", "spectrum"], "did you mean 'spectral'?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_mistakes(
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    finished = command("error", *SMALL, *options)
    assert finished.code == 2
    (line,) = finished.errors.splitlines()
    assert line.startswith("xconv-bench: ") and message in line
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_weights_that_do_not_fit(command: Command, tmp_path: Path) -> None:
    import torch

    torch.save({"other": torch.zeros(3)}, tmp_path / "weights.pt")
    finished = measure(command, tmp_path / "run", "--weights", tmp_path / "weights.pt")
    assert finished.code == 2 and finished.output == ""
    (line,) = finished.errors.splitlines()
    assert line.startswith("xconv-bench: ") and "weights.pt" in line
    assert not (tmp_path / "run").exists()
