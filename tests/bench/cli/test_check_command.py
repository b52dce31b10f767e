"""``xconv-bench check``: verdicts in a table, for CI systems, and new baselines."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest
import threshold_rows as rows
from threshold_rows import XCONV

Command = Callable[..., Any]

PROFILE = """\
title = "Mine"
baseline = "kept"
limits = ["memory/*/xconv: simulated_peak_bytes <= 0.65 * exact"]

[[experiment]]
command = "memory"
model = "resnet18"

[[threshold]]
experiment = "memory"
metric = "simulated_peak_bytes"
max_regression = "2%"
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run in which xconv takes 60 % of what exact takes."""
    return rows.write(
        tmp_path / "run", "memory",
        rows.memory(simulated_peak_bytes=1000 * 2**20),
        rows.memory(simulated_peak_bytes=600 * 2**20, **XCONV),
    )  # fmt: skip


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(PROFILE)
    return path


def test_a_new_baseline_and_what_regresses_from_it(
    command: Command, run: Path, profile: Path, tmp_path: Path
) -> None:
    missing = command("check", run, "--profile", profile)
    assert missing.code == 2 and "check --update` writes one" in missing.errors
    made = command("check", run, "--profile", profile, "--update")
    assert made.code == 0 and "2 of 2 figures changed" in made.output
    assert (tmp_path / "kept/memory.csv").read_bytes() == (run / "memory.csv").read_bytes()
    good = command("check", run, "--profile", profile)
    assert good.code == 0 and "3 ok" in good.output

    worse = rows.write(
        tmp_path / "worse", "memory",
        rows.memory(simulated_peak_bytes=1000 * 2**20),
        rows.memory(simulated_peak_bytes=660 * 2**20, **XCONV),
    )  # fmt: skip
    bad = command("check", worse, "--profile", profile)
    assert bad.code == 1 and "1 ok, 2 FAILED" in bad.output
    (line,) = re.findall("FAILED.*baseline.*", bad.output)
    assert re.search(
        r"xconv independent r=8 conv,relu, resnet18.* 660 MiB +612 MiB +600 MiB +\+7.8 %", line
    )
    renewed = command("check", worse, "--profile", profile, "--update")
    assert "1 of 2 figures changed" in renewed.output
    assert re.search(r"600 MiB +660 MiB +\+10 %", renewed.output)


def test_a_baseline_of_the_command_line(command: Command, run: Path, tmp_path: Path) -> None:
    old = rows.write(tmp_path / "old", "memory", rows.memory(simulated_peak_bytes=500 * 2**20))
    limit = "memory/*/exact: simulated_peak_bytes <= 1 * baseline"
    for baseline in (old, old / "memory.csv"):
        finished = command("check", run, "--limit", limit, "--baseline", baseline)
        assert finished.code == 1 and "+100 %" in finished.output


def test_files_for_ci_systems(command: Command, run: Path, tmp_path: Path) -> None:
    limits = (
        "--limit", "memory: simulated_peak_bytes <= 700 MiB",
        "--limit", "memory/resnet81: saved_bytes <= 1",
    )  # fmt: skip
    finished = command("check", run, *limits, "--junit", tmp_path / "junit.xml", "--github")
    assert finished.code == 1
    suite = ElementTree.parse(tmp_path / "junit.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "2", "0")
    failures = [failure.get("message") for failure in suite.iter("failure")]
    assert failures == [
        "simulated_peak_bytes is 1000 MiB, +43 % beyond 700 MiB",
        "no row has model resnet81: did you mean 'resnet18'?",
    ]
    annotations = [line for line in finished.output.splitlines() if line.startswith("::")]
    assert len(annotations) == 2
    assert annotations[0].startswith(
        "::error title=memory%3A simulated_peak_bytes <= 734003200::exact, resnet18"
    )
    assert "+43 %25 beyond" in annotations[0]


def test_what_is_not_compared_is_said_and_does_not_fail(command: Command, tmp_path: Path) -> None:
    for folder, torch in (("old", "2.6"), ("new", "2.13")):
        path = rows.write(tmp_path / folder, "runtime", rows.runtime(step_seconds=1.0))
        (path / "environment.json").write_text(json.dumps({"torch": torch}))
    finished = command(
        "check", tmp_path / "new", "--baseline", tmp_path / "old", "--github",
        "--limit", "runtime: step_seconds <= 1.1 * baseline",
    )  # fmt: skip
    assert finished.code == 0 and "1 not compared" in finished.output
    assert "another torch: 2.6, here 2.13" in finished.output
    assert "::notice" in finished.output


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "has no profile.toml: give --profile, or a --limit"),
        (["--profile", "nosuch"], 2, "profile 'nosuch' is unknown"),
        (["--limit", "memory"], 2, "limit 'memory': expected"),
        (["--limit", "memory: nosuch_bytes <= 3"], 2, "metric 'nosuch_bytes' is no number"),
        (["--limit", "memory: saved_bytes <= 1", "--update"], 2, "--update needs a --baseline"),
        (
            ["--limit", "memory: saved_bytes <= 1", "--update", "--baseline", "kept"], 2,
            "no threshold compares with a baseline",
        ),
        (
            ["--limit", "layers: layer_bytes <= 1*baseline", "--update", "--baseline", "kept"], 1,
            "has no rows of layers",
        ),
        (
            ["--limit", "memory: saved_bytes <= 1*baseline", "--update", "--baseline", "my.csv"],
            2, "holds one table: expected a folder for memory",
        ),
        (
            ["--limit", "memory: saved_bytes <= 1", "--junit", "/dev/null/x"], 1,
            "cannot be used: Not a directory; move it away or choose another --junit",
        ),
    ],
)  # fmt: skip
def test_mistakes(
    command: Command, run: Path, arguments: list[str], code: int, message: str
) -> None:
    finished = command("check", run, *arguments)
    assert finished.code == code and message in finished.errors
    assert len(finished.errors.splitlines()) == 1


def test_a_profile_without_thresholds(command: Command, run: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("title = 'x'\n[[experiment]]\ncommand = 'memory'\n")
    finished = command("check", run, "--profile", path)
    assert finished.code == 2 and "has no thresholds" in finished.errors


def test_directories_that_are_none(command: Command, tmp_path: Path) -> None:
    finished = command("check", tmp_path / "nowhere", "--limit", "memory: saved_bytes <= 1")
    assert finished.code == 2 and "is no directory: expected that of a run" in finished.errors


def test_a_table_that_lacks_columns(command: Command, run: Path) -> None:
    table = pd.read_csv(run / "memory.csv").drop(columns="saved_bytes")
    table.to_csv(run / "memory.csv", index=False)
    finished = command("check", run, "--limit", "memory: simulated_peak_bytes <= 1")
    assert finished.code == 1 and "column saved_bytes is missing" in finished.errors
    assert len(finished.errors.splitlines()) == 1


def test_a_run_without_the_table_fails(command: Command, run: Path) -> None:
    finished = command("check", run, "--limit", "layers: layer_bytes <= 1")
    assert finished.code == 1 and "layers.csv is not in the run" in finished.output


REGRESSION = "memory: simulated_peak_bytes <= 1 * baseline"


@pytest.mark.parametrize(
    ("keep", "reason"),
    [
        (lambda content: b"", "is empty"),
        (lambda content: content[:40], "was cut off before its first row ended"),
        (lambda content: content.splitlines(keepends=True)[0], "has no rows"),
        (lambda content: content.replace(b",ok,", b",", 1), "line 2 is cut off: it has"),
        (None, "cannot be read: Is a directory"),
    ],
    ids=["empty", "cut", "header", "line", "directory"],
)
@pytest.mark.parametrize("which", ["run", "baseline"])
def test_a_damaged_table_is_said_to_be(
    command: Command, run: Path, tmp_path: Path, keep: Any, reason: str, which: str
) -> None:
    """Nobody reads that it is not there, or to choose another directory for what is there."""
    old = rows.write(tmp_path / "old", "memory", rows.memory(simulated_peak_bytes=100))
    path = (run if which == "run" else old) / "memory.csv"
    content = path.read_bytes()
    path.unlink()
    path.mkdir() if keep is None else path.write_bytes(keep(content))
    finished = command("check", run, "--limit", REGRESSION, "--baseline", old)
    (line,) = finished.errors.splitlines()
    assert finished.code == 1 and reason in line and str(path) in line
    assert "another --output" not in line and "not in the run" not in finished.output
    remedy = "measure again with --output" if which == "run" else "`check --update` renews it"
    assert ("move it away" if keep is None else remedy) in line


def test_a_last_line_that_a_kill_tore_is_left_out(command: Command, run: Path) -> None:
    path = run / "memory.csv"
    path.write_bytes(path.read_bytes()[:-5])
    finished = command("check", run, "--limit", "memory: simulated_peak_bytes <= 1GiB")
    assert finished.code == 0 and "1 ok" in finished.output
    assert finished.errors == f"{path}: its last line is incomplete: this line is left out\n"
