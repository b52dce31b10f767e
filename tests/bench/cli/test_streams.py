"""Standard streams that are closed, full or cannot spell: one line at most, and rows stay."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from run_directories import MEMORY, XCONV, error_row, make_run

ROOT = Path(__file__).resolve().parents[3]
COMMAND = [sys.executable, "-m", "xconv_bench"]
MNIST = [
    "memory", "--model", "paper/mnist", "--simulate", "--image-size", "8", "--method", "exact",
    "--no-cross-check", "--output", "run",
]  # fmt: skip


def call(
    arguments: list[str], folder: Path, redirection: str, **changes: str
) -> subprocess.CompletedProcess[bytes]:
    """Call the command with streams as a shell redirects them."""
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {redirection}', "sh", *COMMAND, *arguments], cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **changes}, capture_output=True, check=False,
    )  # fmt: skip


def test_rows_stay_where_output_is_full(tmp_path: Path) -> None:
    finished = call(MNIST, tmp_path, ">/dev/full")
    lines = finished.stderr.decode().splitlines()
    assert finished.returncode == 1
    assert [line for line in lines if not line.startswith("[")] == [
        "xconv-bench: standard output cannot be written: No space left on device; what was "
        "measured is kept: xconv-bench report shows it"
    ]
    assert len((tmp_path / "run/memory.csv").read_text().splitlines()) == 2
    assert (tmp_path / "run/plots/memory.svg").is_file()


def test_all_streams_closed(tmp_path: Path) -> None:
    """No file takes their numbers: nothing is printed into a table."""
    finished = call(MNIST, tmp_path, "<&- >&- 2>&-")
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, b"", b"")
    assert len((tmp_path / "run/memory.csv").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("redirection", "code", "said"),
    [(">&-", 0, b""), (">/dev/full", 1, b"xconv-bench: standard output cannot be written: No ")],
)
@pytest.mark.parametrize(
    "arguments",
    [
        ["--version"],
        ["report", "--format", "markdown", "run"],
        ["check", "run", "--limit", "memory/*/exact: live_peak_bytes <= 1 GiB", "--github"],
    ],
    ids=lambda words: words[0],
)
def test_what_only_prints(
    tmp_path: Path, arguments: list[str], redirection: str, code: int, said: bytes
) -> None:
    make_run(tmp_path / "run", memory=MEMORY)
    finished = call(arguments, tmp_path, redirection)
    assert (finished.returncode, finished.stdout) == (code, b"")
    assert finished.stderr.startswith(said) and finished.stderr.count(b"\n") == len(said[:1])


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"])
def test_messages_that_cannot_be_written_end_nothing(tmp_path: Path, redirection: str) -> None:
    make_run(tmp_path / "runs/mine", memory=MEMORY)
    finished = call(["report"], tmp_path, redirection)
    assert (finished.returncode, finished.stdout) == (0, b"written: runs/mine/report.html\n")
    mistake = call(["nosuch"], tmp_path, redirection)
    assert (mistake.returncode, mistake.stdout) == (2, b"")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_output_that_cannot_spell(tmp_path: Path, encoding: str) -> None:
    known = error_row(0.5, relative_error_se=0.01, **XCONV)
    make_run(tmp_path / "run", memory=MEMORY, error=[known])
    limit = "memory/\udcff: live_peak_bytes <= 1 GiB"
    report = ["report", "--format", "markdown", "run"]
    shown = call(report, tmp_path, "", PYTHONIOENCODING=encoding)
    assert (shown.returncode, shown.stderr) == (0, b"")
    times, plus_minus = {"ascii": ("x", "+-"), "latin-1": ("×", "±")}[encoding]
    assert f"0.75{times}" in shown.stdout.decode(encoding)
    assert f"0.50 {plus_minus} 0.01" in shown.stdout.decode(encoding)
    checked = call(["check", "run", "--limit", limit], tmp_path, "", PYTHONIOENCODING=encoding)
    assert (checked.returncode, checked.stderr) == (1, b"")
    assert rb"memory/\udcff" in checked.stdout
