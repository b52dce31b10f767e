"""``xconv-bench run``: the experiments of a profile into one directory, planned before begun."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from own_networks import name

from xconv_bench.results.run_directory import RunDirectory

Command = Callable[..., Any]
HERE = pytest.mark.usefixtures("in_this_process", "unpainted")


def profile(folder: Path, second: str = "max-batch", extra: str = "") -> Path:
    path = folder / "mine.toml"
    path.write_text(
        f"""
        title = "Mine"
        limits = ["memory: simulated_peak_bytes <= 1 GiB"]
        [settings]
        model = "{name("plain")}"
        image-size = 12
        [[experiment]]
        command = "memory"
        batch-size = [1, 2]
        method = "exact"
        simulate = true
        [[experiment]]
        command = "{second}"
        method = "exact"
        memory-budget = "1MiB"
        {extra}
        """
    )
    return path


@HERE
def test_from_end_to_end_and_again(command: Command, tmp_path: Path) -> None:
    path = profile(tmp_path)
    finished = command("run", path, "--output", tmp_path / "run")
    assert finished.code == 0, finished.errors
    assert len(pd.read_csv(tmp_path / "run/memory.csv")) == 2
    assert len(pd.read_csv(tmp_path / "run/max_batch.csv")) == 1
    assert (tmp_path / "run/profile.toml").read_bytes() == path.read_bytes()
    assert "Mine: 2 of 2: max-batch" in finished.errors
    assert "[3/3]" in finished.errors
    assert re.search(r"memory +2 ok", finished.output)
    assert f"xconv-bench check {tmp_path / 'run'} --profile {path}" in finished.errors
    again = command("run", "--resume", tmp_path / "run")
    assert again.code == 0 and again.errors.count("already measured") == 3
    assert len(json.loads((tmp_path / "run/environment.json").read_text())["continued"]) == 1
    checked = command("check", tmp_path / "run")
    assert checked.code == 0, checked.output


def test_jobs_of_all_experiments(command: Command, tmp_path: Path) -> None:
    finished = command("run", profile(tmp_path), "--jobs", 2, "--output", tmp_path / "run")
    assert finished.code == 0, finished.errors
    assert len(pd.read_csv(tmp_path / "run/memory.csv")) == 2


@HERE
def test_settings_are_kept_for_who_resumes(command: Command, tmp_path: Path) -> None:
    changes = ("--set", "memory.batch-size=3", "--set", "memory-budget=2MiB")
    finished = command("run", profile(tmp_path), *changes, "--output", tmp_path / "run")
    assert finished.code == 0, finished.errors
    assert list(pd.read_csv(tmp_path / "run/memory.csv")["batch_size"]) == [3]
    assert list(pd.read_csv(tmp_path / "run/max_batch.csv")["memory_budget_bytes"]) == [2**21]
    again = command("run", "--resume", tmp_path / "run")
    assert again.code == 0 and again.errors.count("already measured") == 2


@HERE
def test_the_worst_exit_code_counts(command: Command, tmp_path: Path) -> None:
    path = profile(tmp_path, extra="headroom = 0.01")
    assert command("run", path, "--output", tmp_path / "run").code == 1


def test_one_experiment_that_cannot_be_made_does_not_keep_the_others_from_it(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xconv_bench.errors import BenchError
    from xconv_bench.experiments import memory

    def fails(*arguments: object) -> None:
        raise BenchError("no weights")

    monkeypatch.setattr(memory, "measure_memory", fails)
    finished = command("run", profile(tmp_path), "--output", tmp_path / "run")
    assert finished.code == 1
    assert re.search(r"memory +not made: no weights", finished.output)
    assert re.search(r"max-batch +1 ok", finished.output)


def test_a_dry_run_measures_nothing(command: Command, tmp_path: Path) -> None:
    finished = command("run", profile(tmp_path), "--dry-run", "--output", tmp_path / "run")
    assert finished.code == 0, finished.errors
    assert "1. memory: 2 measurements" in finished.output
    assert re.search(r"in all: 3 measurements, about \d+ s, the largest peak", finished.output)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("second", "extra", "message"),
    [
        ("max-bach", "", "experiment 2: command 'max-bach' is unknown: did you mean 'max-batch'?"),
        ("run", "", "command 'run' is unknown"),
        ("max-batch", "budjet = 3", "experiment 2 (max-batch): 'budjet' is unknown: did you mean"),
        ("max-batch", "max = 0", "experiment 2 (max-batch): Invalid value for '--max'"),
        ("max-batch", "scheme = 'x'", "(max-batch): --scheme 'x' is unknown: choose from"),
        ("max-batch", "help = true", "(max-batch): 'help' is unknown"),
        ("layers", "", "(layers): 'memory-budget' is unknown"),
    ],
)
def test_mistakes_are_found_before_the_first_experiment(
    command: Command, tmp_path: Path, second: str, extra: str, message: str
) -> None:
    finished = command("run", profile(tmp_path, second, extra), "--output", tmp_path / "run")
    assert finished.code == 2
    (line,) = finished.errors.splitlines()
    assert line.startswith(f"xconv-bench: {tmp_path / 'mine.toml'}: ") and message in line
    assert not (tmp_path / "run").exists()


def test_a_setting_that_no_experiment_takes(command: Command, tmp_path: Path) -> None:
    finished = command("run", profile(tmp_path), "--set", "probs=3")
    assert finished.code == 2
    assert "settings: 'probs' is an option of no experiment here: did you mean 'probes'?" in (
        finished.errors
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "run needs a PROFILE"),
        (["nosuch"], "profile 'nosuch' is unknown: choose from"),
        (["--resume", "nowhere"], "--resume nowhere: no run of a profile is there"),
        (["quick", "--resume", "nowhere"], "--resume takes all from its folder"),
        (["--resume", "nowhere", "--set", "a=b"], "--resume takes all from its folder"),
        (["quick", "--set", "a"], "--set 'a': expected key=value"),
    ],
)
def test_arguments_that_cannot_be(command: Command, arguments: list[str], message: str) -> None:
    finished = command("run", *arguments)
    assert finished.code == 2 and message in finished.errors
    assert len(finished.errors.splitlines()) == 1


def test_a_second_run_into_the_same_directory_is_refused(command: Command, tmp_path: Path) -> None:
    with RunDirectory("run", "first", tmp_path / "run"):
        finished = command("run", profile(tmp_path), "--output", tmp_path / "run")
        profile(tmp_path / "run").rename(tmp_path / "run/profile.toml")
        resumed = command("run", "--resume", tmp_path / "run")
    assert finished.code == resumed.code == 2
    for option, said in (("--output", finished.errors), ("--resume", resumed.errors)):
        assert f"is in use by another run: wait for its end or choose another {option}\n" in said


def test_a_foreign_file_is_found_before_anything_is_measured(
    command: Command, tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/max_batch.csv").write_text("mine\n1\n")
    finished = command("run", profile(tmp_path), "--output", tmp_path / "run")
    assert finished.code == 1 and "max_batch.csv is not a table of this version" in finished.errors
    assert not (tmp_path / "run/memory.csv").exists()


def test_profiles_are_listed(command: Command) -> None:
    finished = command("profiles")
    assert finished.code == 0
    for word in ("quick", "ci", "gpu", "paper/max_batch", "two cores"):
        assert word in finished.output


@pytest.mark.usefixtures("in_this_process")
def test_experiments_of_one_command_share_its_pictures(command: Command, tmp_path: Path) -> None:
    path = profile(tmp_path)
    again = ["[[experiment]]", 'command = "memory"', "batch-size = 3", 'method = "exact"']
    path.write_text("\n".join([path.read_text(), *again, "simulate = true"]))
    finished = command("run", path, "--output", tmp_path / "run")
    assert finished.code == 0, finished.errors
    picture = (tmp_path / "run/plots/memory.svg").read_text()
    assert all(f"batch {size}" in picture for size in (1, 2, 3))
