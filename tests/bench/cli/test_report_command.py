"""``xconv-bench report``."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from run_directories import MEMORY, error_row, make_run, memory_row

Command = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "run", memory=MEMORY)


def test_a_page_in_the_run(command: Command, run: Path) -> None:
    finished = command("report", run)
    assert (finished.code, finished.errors) == (0, "")
    assert finished.output == f"written: {run / 'report.html'}\n"
    assert sorted(path.name for path in run.iterdir()) == [
        "environment.json", "memory.csv", "report.html",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("output", "expected"), [("x.html", "x.html"), ("folder", "folder/report.html")]
)
def test_a_page_elsewhere(
    command: Command, run: Path, tmp_path: Path, output: str, expected: str
) -> None:
    assert command("report", run, "--output", tmp_path / output).code == 0
    assert (tmp_path / expected).is_file() and not (run / "report.html").exists()


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_pictures(command: Command, run: Path, kind: str) -> None:
    finished = command("report", run, "--format", kind)
    assert finished.output == f"written: {run / 'plots' / f'memory.{kind}'}\n"
    assert [path.suffix for path in (run / "plots").iterdir()] == [f".{kind}"]


def test_pictures_of_several_runs(command: Command, run: Path, tmp_path: Path) -> None:
    other = make_run(tmp_path / "other", memory=[memory_row(200)], error=[error_row(0.1)])
    folder = tmp_path / "pictures"
    assert command("report", run, other, "--format", "svg", "--output", folder).code == 0
    found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.svg"))
    assert found == ["comparison.svg", "other/memory.svg", "run/memory.svg"]


def test_markdown(command: Command, run: Path, tmp_path: Path) -> None:
    shown = command("report", run, "--format", "markdown")
    assert shown.output.startswith("## xconv-bench: run\n") and "written" not in shown.output
    path = tmp_path / "comment.md"
    written = command("report", run, "--format", "markdown", "--output", path)
    assert written.output == f"written: {path}\n" and path.read_text() == shown.output
    assert not (run / "report.html").exists()


def test_what_is_skipped_is_said(command: Command, run: Path) -> None:
    (run / "error.csv").write_text("a,b\n")
    finished = command("report", run)
    assert finished.code == 0 and finished.errors.count("\n") == 1
    assert "error.csv is not a table" in finished.errors
    assert "error.csv is not a table" in (run / "report.html").read_text()


def test_nothing_to_report(command: Command, tmp_path: Path) -> None:
    finished = command("report", tmp_path)
    assert finished.code == 1 and finished.errors.count("\n") == 1
    assert "there is nothing to report" in finished.errors


def test_the_newest_run_where_none_is_given(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Newest by its tables: a report that was written into an older run does not make it newer."""
    monkeypatch.chdir(tmp_path)
    names = ("older", "newest", "z-oldest")
    for name, seconds in zip(names, (2000, 3000, 1000), strict=True):
        table = make_run(Path("runs") / name, memory=MEMORY) / "memory.csv"
        os.utime(table, (seconds, seconds))
    Path("runs/no-table").mkdir()
    Path("runs/a file").touch()
    assert command("report", "runs/older").code == 0
    shown = command("report")
    assert (shown.code, shown.errors) == (0, "the newest run: runs/newest\n")
    assert shown.output == "written: runs/newest/report.html\n"
    checked = command("check", "--limit", "memory: live_peak_bytes <= 1 GiB")
    assert (checked.code, checked.errors) == (0, "the newest run: runs/newest\n")
    assert "thresholds of runs/newest" in checked.output


@pytest.mark.parametrize("name", ["report", "check"])
@pytest.mark.parametrize("runs", ["nothing", "no table", "a file"])
def test_no_run_at_all(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, runs: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if runs == "a file":
        Path("runs").touch()
    elif runs == "no table":
        Path("runs/one").mkdir(parents=True)
    finished = command(name)
    assert (finished.code, finished.output) == (2, "")
    assert finished.errors == (
        "xconv-bench: there is no run below runs here: give the directory of one, or measure "
        "first, as with xconv-bench run quick\n"
    )


@pytest.mark.parametrize("kind", ["html", "markdown", "png"])
def test_mistakes(command: Command, run: Path, kind: str) -> None:
    for arguments, code in (
        ([run / "nowhere"], 2),
        ([run, "--output", run / "memory.csv"], 2),
        ([run, "--output", run / "memory.csv" / "below"], 1),
        ([run, "--format", "doc"], 2),
    ):
        finished = command("report", "--format", kind, *arguments)
        assert (finished.code, finished.errors.count("\n")) == (code, 1), finished
    assert (run / "memory.csv").read_text().startswith("model,")
