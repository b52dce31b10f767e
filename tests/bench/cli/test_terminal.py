"""The command as its users run it: pipes, terminals, and what goes where."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

from run_directories import MEMORY, make_run

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = [sys.executable, "-c", "import sys; from xconv_bench.cli import main; sys.exit(main())"]
MNIST = [
    "memory",
    "--model",
    "paper/mnist",
    "--simulate",
    "--image-size",
    "8",
    "--scheme",
    "independent",
    "--no-cross-check",
]
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def environment(**changes: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    return {**kept, "PYTHONPATH": str(ROOT), **changes}


def close_early(arguments: list[str], lines: int, tmp_path: Path) -> tuple[list[bytes], str]:
    """Read so many lines of a command's output and close it; the lines, and its last words."""
    with subprocess.Popen(
        [*SCRIPT, *arguments], cwd=tmp_path, env=environment(),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None and process.stderr is not None
        read = [process.stdout.readline() for _ in range(lines)]
        process.stdout.close()
        errors = process.stderr.read().decode()
        assert process.wait() in (0, 1)
    return read, errors


def test_output_that_nobody_reads_to_its_end(tmp_path: Path) -> None:
    (first,), errors = close_early(["models"], 1, tmp_path)
    assert first.startswith(b"model ")
    assert errors == ""
    make_run(tmp_path / "run", memory=MEMORY)
    (first,), errors = close_early(["report", "run", "--format", "markdown"], 1, tmp_path)
    assert first.startswith(b"#") and errors == ""


def test_output_that_nobody_reads_at_all(tmp_path: Path) -> None:
    _, errors = close_early(["--version"], 0, tmp_path)
    assert errors == ""


def in_a_terminal(arguments: list[str], columns: int, folder: Path) -> list[str]:
    """Lines of a command in a terminal of so many columns, all that is written over included."""
    pid, terminal = pty.fork()
    if not pid:
        os.chdir(folder)
        os.execve(SCRIPT[0], [*SCRIPT, *arguments], environment(TERM="xterm", COLUMNS=str(columns)))
    shown = b""
    try:
        while part := os.read(terminal, 65536):
            shown += part
    except OSError:  # the other end is gone
        pass
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, shown.decode()
    return re.split(r"[\r\n]+", ESCAPES.sub("", shown.decode()))


def test_the_bar_of_a_narrow_terminal(tmp_path: Path) -> None:
    lines = in_a_terminal([*MNIST, "--output", "run"], 70, tmp_path)
    bars = [line for line in lines if "━" in line]
    assert any("0/2" in bar and "paper/mnist exact batch" in bar for bar in bars)
    assert any("1/2" in bar and bar.rstrip().endswith("…") for bar in bars)
    assert all(len(bar) <= 70 for bar in bars)
    done = [line for line in lines if line.startswith("[")]
    assert [line[:5] for line in done] == ["[1/2]", "[2/2]"]
    assert any(line.startswith("paper/mnist, ") for line in lines)
