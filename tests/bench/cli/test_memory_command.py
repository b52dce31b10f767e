"""``xconv-bench memory`` called in this process: what it measures, writes, prints and returns."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from own_networks import name

from xconv.conversion import FAMILIES
from xconv_bench.meters.waiting import REMARK
from xconv_bench.results.schema import TABLES

Command = Callable[..., Any]

_NOISE = "gradient error above 1: more noise than gradient"
HERE = pytest.mark.usefixtures("in_this_process", "unpainted")
REAL = ["live_peak_bytes", "rss_peak_bytes", "forward_seconds", "step_seconds"]


def test_a_real_run_from_end_to_end(command: Command, tmp_path: Path) -> None:
    finished = command(
        "memory", "--model", name("normalized"), "--device", "cpu", "--batch-size", 2,
        "--image-size", 12, "--probes", 2, "--steps", 1, "--first", "compressed",
        "--output", tmp_path / "run",
    )  # fmt: skip
    assert finished.code == 0, finished.errors

    table = pd.read_csv(tmp_path / "run/memory.csv")
    assert tuple(table.columns) == TABLES["memory"].names
    assert list(table["method"]) == ["exact", "xconv", "xconv"]
    assert list(table["scheme"].dropna()) == ["independent", "spectral"]
    assert list(table["status"]) == ["ok", "ok", "ok"]
    assert table[REAL].notna().all(axis=None)
    exact, probed, spectral = table.fillna({"message": ""}).to_dict("records")
    assert {*exact["message"].split("; ")} <= {"", REMARK}  # beside other work
    for each in (probed, spectral):
        is_noise = each["gradient_relative_error"] > 1
        assert (_NOISE in each["message"].split("; ")) == is_noise, each
    for each in (probed, spectral):
        assert exact["gradient_relative_error"] == 0 < each["gradient_relative_error"]
        assert each["saved_bytes"] < exact["saved_bytes"]
    assert probed["live_peak_bytes"] == probed["simulated_peak_bytes"]

    record = json.loads((tmp_path / "run/environment.json").read_text())
    assert record["command"].startswith("xconv-bench memory --model ")
    assert record["seed"] == 0

    lines = finished.output.splitlines()
    assert "normalized, " in lines[0] and ", batch 2, 12 px, float32, cpu" in lines[0]
    assert [line.split()[0] for line in lines[2:6]] == ["method", "exact", "xconv", "xconv"]
    assert "gradient error" in lines[2]
    pictures = sorted(path.name for path in (tmp_path / "run/plots").iterdir())
    assert pictures == ["memory.png", "memory.svg"]
    written = ["memory.csv", "environment.json", "plots/memory.png", "plots/memory.svg"]
    assert lines[-4:] == [f"written: {tmp_path / 'run' / path}" for path in written]

    model = name("normalized")
    setting = "batch 2 12 px float32 cpu: ok, "
    words = ["exact", "xconv independent r=2 conv,relu first compressed",
             "xconv spectral 1 bit conv,relu first compressed"]  # fmt: skip
    for number, line in enumerate(finished.errors.splitlines()[-3:]):
        assert line.startswith(f"[{number + 1}/3] {model} {words[number]} {setting}")


SCHEMES = [
    # The paper's and ours, ours also where probes alone are given.
    ([], [("independent", 8, None), ("spectral", None, 1)]),
    (["--probes", "4,2"], [("independent", 4, None), ("independent", 2, None),
                           ("spectral", None, 1)]),
    (["--bits", "0.25,1"], [("spectral", None, 0.25), ("spectral", None, 1)]),
    (["--bits", "1", "--probes", "2"], [("independent", 2, None), ("spectral", None, 1)]),
    (["--scheme", "independent"], [("independent", 8, None)]),
    (["--scheme", "spectral,multi", "--probes", "3"], [("spectral", None, 1),
                                                       ("multi", 3, None)]),
    (["--scheme", "spectral,quantized", "--bits", "0.5,2"], [("spectral", None, 0.5),
                                                             ("spectral", None, 2),
                                                             ("quantized", None, 2)]),
]  # fmt: skip


@HERE
@pytest.mark.parametrize(("options", "expected"), SCHEMES, ids=str)
def test_schemes(
    command: Command, tmp_path: Path, options: list[str], expected: list[tuple[Any, ...]]
) -> None:
    finished = command(
        "memory", "--model", "paper/mnist", "--simulate", "--batch-size", 2, "--method", "xconv",
        *options, "--no-cross-check", "--output", tmp_path,
    )  # fmt: skip
    assert finished.code == 0, finished.errors
    table = pd.read_csv(tmp_path / "memory.csv")
    cells = table[["scheme", "probes", "bits"]].astype(object)
    found = cells.where(cells.notna(), None)
    assert [tuple(row) for row in found.itertuples(index=False)] == expected
    assert set(table["first"]) == {"exact"} and set(table["status"]) == {"ok"}


@HERE
def test_probes_alone_mean_the_papers_scheme(command: Command, tmp_path: Path) -> None:
    """Hold it for every other command, too, where nothing stands beside it."""
    finished = command(
        "max-batch", "--model", "paper/mnist", "--probes", 2, "--memory-budget", "64MiB",
        "--output", tmp_path,
    )  # fmt: skip
    assert finished.code == 0, finished.errors
    assert list(pd.read_csv(tmp_path / "max_batch.csv")["scheme"].dropna()) == ["independent"]


@HERE
def test_the_first_layer_is_a_knob_of_every_method_that_swaps(
    command: Command, tmp_path: Path
) -> None:
    methods = ["xconv", "quantized", "rad-sampling"]
    finished = command(
        "memory", "--model", "paper/mnist", "--simulate", "--method", ",".join(["exact", *methods]),
        "--scheme", "independent", "--first", "exact,compressed", "--batch-size", 2,
        "--no-cross-check", "--output", tmp_path,
    )  # fmt: skip
    assert finished.code == 0, finished.errors
    table = pd.read_csv(tmp_path / "memory.csv")
    both = [(method, first) for method in methods for first in ("exact", "compressed")]
    found = list(zip(table["method"], table["first"].fillna("-"), strict=True))
    assert found == [("exact", "-"), *both]
    left = table[table["first"] == "exact"].message
    assert left.str.contains("its input is the batch (6.12 KiB), which is held", regex=False).all()
    assert table[table["first"] == "compressed"].message.isna().all()
    whole = table.pivot(index="method", columns="first", values="saved_bytes")
    assert (whole.loc[methods, "exact"] > whole.loc[methods, "compressed"]).all()


@HERE
def test_sweeps_by_commas_and_by_repetition(command: Command, tmp_path: Path) -> None:
    finished = command(
        "memory", "--model", "paper/mnist,paper/cifar", "--simulate", "--image-size", "8",
        "--probes", "1, 2", "--probes", "2,3", "--method", "xconv", "--method", "exact",
        "--batch-size", "4", "--no-cross-check", "--output", tmp_path,
    )  # fmt: skip
    assert finished.code == 0
    table = pd.read_csv(tmp_path / "memory.csv")
    assert list(table["model"]) == ["paper/mnist"] * 5 + ["paper/cifar"] * 5
    assert list(table["method"]) == ["xconv", "xconv", "xconv", "xconv", "exact"] * 2
    assert list(table["probes"].dropna()) == [1, 2, 3] * 2
    assert set(table["device"]) == {"simulated"}
    assert table[REAL].isna().all(axis=None)


@HERE
def test_sets_of_families_are_swept_by_repetition(command: Command, tmp_path: Path) -> None:
    finished = command(
        "memory", "--model", "paper/mnist", "--simulate", "--image-size", "8", "--method", "xconv",
        "--compress", "relu,conv", "--compress", "relu", "--compress", "conv,relu",
        "--scheme", "multi", "--no-cross-check", "--output", tmp_path,
    )  # fmt: skip
    assert finished.code == 0
    assert list(pd.read_csv(tmp_path / "memory.csv")["compress"]) == ["conv,relu", "relu"]


@HERE
def test_all_families_and_bits_of_normalisations(command: Command, tmp_path: Path) -> None:
    """Fewer bits keep fewer bytes; where no normalisation is compressed, they are no setting."""
    finished = command(
        "memory", "--model", "resnet18", "--simulate", "--image-size", "32", "--method", "xconv",
        "--compress", "all", "--compress", "conv,relu", "--norm-bits", "4,2", "--batch-size", 8,
        "--scheme", "multi", "--no-cross-check", "--output", tmp_path,
    )  # fmt: skip
    assert finished.code == 0
    table = pd.read_csv(tmp_path / "memory.csv")
    assert list(table["compress"]) == 2 * [",".join(FAMILIES)] + ["conv,relu"]
    assert list(table["norm_bits"].fillna(0)) == [4, 2, 0]
    four, two, none = table["saved_bytes"]
    assert two < four < none / 2
    assert "norm 2 bits" in finished.output


@HERE
def test_repeats_have_seeds_of_their_own(command: Command, tmp_path: Path) -> None:
    finished = command(
        "memory", "--model", "paper/mnist", "--simulate", "--image-size", "8",
        "--method", "exact", "--repeats", 2, "--seed", 5, "--output", tmp_path,
    )  # fmt: skip
    assert finished.code == 0
    table = pd.read_csv(tmp_path / "memory.csv")
    assert list(zip(table["repeat"], table["seed"], strict=True)) == [(0, 5), (1, 6)]
    assert "repeat 1: ok" in finished.errors.splitlines()[-1]


@HERE
def test_the_size_of_the_model_and_a_new_folder_where_none_is_given(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ("memory", "--model", "paper/mnist", "--simulate", "--method", "exact")
    assert command(*arguments).code == 0
    assert command(*arguments).code == 0
    folders = sorted(tmp_path.glob("runs/memory-paper-mnist-*"))
    assert len(folders) == 2
    assert list(pd.read_csv(folders[0] / "memory.csv")["image_size"]) == [28]


@HERE
def test_a_second_run_measures_what_is_new(command: Command, tmp_path: Path) -> None:
    arguments = ("memory", "--model", "paper/mnist", "--simulate", "--no-cross-check",
                 "--output", tmp_path)  # fmt: skip
    assert command(*arguments, "--probes", "1").code == 0
    before = (tmp_path / "memory.csv").read_text()
    finished = command(*arguments, "--probes", "1,2")
    assert finished.code == 0
    assert (tmp_path / "memory.csv").read_text().startswith(before)
    ends = [line.rpartition(", ")[2] for line in finished.errors.splitlines()]
    assert sorted(end == "already measured" for end in ends) == [False, True, True, True]
    assert len(json.loads((tmp_path / "environment.json").read_text())["continued"]) == 1


@pytest.mark.parametrize(
    ("network", "options", "status", "message"),
    [
        ("Hangs", ["--timeout", 1], "timeout", "given up after 1 s (--timeout)"),
        ("one_pixel", ["--batch-size", 1], "error", "ValueError: Expected more than 1 value per"),
        ("Allocates", [], "oom", "RuntimeError: "),
        ("perceptron", ["--method", "quantized"], "unsupported", "no module that quantized can"),
    ],
    ids=["timeout", "error", "oom", "unsupported"],
)
def test_what_could_not_be_measured(
    command: Command, tmp_path: Path, network: str, options: list[Any], status: str, message: str
) -> None:
    options = options if "--method" in options else ["--method", "exact", *options]
    finished = command(
        "memory", "--model", name(network), "--device", "cpu", "--image-size", 8,
        "--output", tmp_path, *options,
    )  # fmt: skip
    assert finished.code == 1
    (row,) = pd.read_csv(tmp_path / "memory.csv").to_dict("records")
    assert row["status"] == status
    assert message in row["message"]
    assert message in finished.output
    assert "Traceback" not in finished.errors


def test_a_method_that_does_not_apply_does_not_spoil_the_others(
    command: Command, tmp_path: Path
) -> None:
    finished = command(
        "memory", "--model", name("perceptron"), "--simulate", "--image-size", 8,
        "--output", tmp_path,
    )  # fmt: skip
    assert finished.code == 0
    statuses = list(pd.read_csv(tmp_path / "memory.csv")["status"])
    assert statuses == ["ok", "unsupported", "unsupported"]


def test_help_and_version(command: Command) -> None:
    assert command("--version").output.startswith("xconv-bench 0.")
    help = command("memory", "--help")
    assert help.code == 0
    options = {"--model", "--method", "--scheme", "--probes", "--batch-size", "--image-size",
               "--dtype", "--device", "--repeats", "--seed", "--output"}  # fmt: skip
    assert options <= set(help.output.replace("│", " ").split())


def test_models(command: Command) -> None:
    finished = command("models")
    assert finished.code == 0
    names = [line.split()[0] for line in finished.output.splitlines() if line]
    assert {"paper/mnist", "resnet50", "squeezenet1_0", "vit_b_16", "also:"} <= set(names)
    assert finished.errors == ""
