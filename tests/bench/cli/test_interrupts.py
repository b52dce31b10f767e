"""A command that is stopped ends cleanly, keeps its rows and says how to go on."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import own_networks
import pytest
from own_networks import name
from processes import living_in_session, wait_until

ROOT = Path(__file__).resolve().parents[3]
COMMAND = [sys.executable, "-m", "xconv_bench"]
SWEEP = [
    "memory", "--model", name("Waits"), "--simulate", "--image-size", "8", "--batch-size", "1,2",
    "--no-cross-check",
]  # fmt: skip


class Run:
    """A command in a session of its own, its output in files, in an empty folder."""

    def __init__(self, folder: Path, arguments: list[str]) -> None:
        self.blocker = folder / "blocker"
        self.blocker.touch()
        self._errors = folder / "errors"
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            own_networks.BLOCKER: str(self.blocker),
        }
        with self._errors.open("wb") as errors, (folder / "output").open("wb") as output:
            self.process = subprocess.Popen(
                [*COMMAND, *arguments], cwd=folder, env=self.environment,
                stdout=output, stderr=errors, start_new_session=True,
            )  # fmt: skip

    @property
    def errors(self) -> str:
        return self._errors.read_text()

    def interrupt(self, number: signal.Signals) -> int:
        """Ctrl-C, which the whole terminal gets, or SIGTERM, which the command alone gets."""
        if number == signal.SIGINT:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)
        return self.process.wait(timeout=60)


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[list[Run]]:
    """Whatever is put here is dead at the end."""
    runs: list[Run] = []
    yield runs
    for run in runs:
        for pid in living_in_session(run.process.pid):
            os.kill(pid, signal.SIGKILL)
        run.process.wait()


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def test_ctrl_c_in_the_middle_and_going_on(tmp_path: Path, runs: list[Run]) -> None:
    table = tmp_path / "my run/memory.csv"
    run = Run(tmp_path, [*SWEEP, "--output", "my run"])
    runs.append(run)
    assert wait_until(lambda: len(lines(table)) == 3), run.errors
    assert run.interrupt(signal.SIGINT) == 130
    assert wait_until(lambda: not living_in_session(run.process.pid))
    assert "Traceback" not in run.errors and "KeyboardInterrupt" not in run.errors
    assert "interrupted: what was measured is kept in my run; go on with:" in run.errors
    advice = run.errors.rstrip().splitlines()[-1].strip()
    assert shlex.split(advice) == [*COMMAND, *SWEEP, "--output", "my run"]

    kept = lines(table)
    assert len(kept) == 3
    run.blocker.unlink()
    resumed = subprocess.run(
        advice, shell=True, cwd=tmp_path, env=run.environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert resumed.returncode == 0, resumed.stderr
    assert lines(table)[:3] == kept and len(lines(table)) == 5
    ends = [line.rpartition(", ")[2] for line in resumed.stderr.splitlines()]
    assert [end == "already measured" for end in ends] == [True, True, False, False]


def test_sigterm_in_a_folder_that_was_not_chosen(tmp_path: Path, runs: list[Run]) -> None:
    run = Run(tmp_path, SWEEP)
    runs.append(run)
    tables = tmp_path.glob
    assert wait_until(lambda: [t for t in tables("runs/*/memory.csv") if len(lines(t)) == 3])
    assert run.interrupt(signal.SIGTERM) == 130
    assert wait_until(lambda: not living_in_session(run.process.pid))
    (folder,) = (tmp_path / "runs").iterdir()
    advice = run.errors.rstrip().splitlines()[-1].strip()
    assert shlex.split(advice) == [*COMMAND, *SWEEP, "--output", f"runs/{folder.name}"]
    assert "Traceback" not in run.errors


def importing_fork_server(session: int) -> list[int]:
    """The fork server of a session, once it is importing torch."""
    return [
        pid
        for pid in living_in_session(session)
        if b"forkserver" in Path(f"/proc/{pid}/cmdline").read_bytes()
        and "libtorch" in Path(f"/proc/{pid}/maps").read_text()
    ]


def test_ctrl_c_while_the_fork_server_starts(tmp_path: Path, runs: list[Run]) -> None:
    run = Run(tmp_path, SWEEP)
    runs.append(run)
    assert wait_until(lambda: importing_fork_server(run.process.pid)), run.errors
    assert run.interrupt(signal.SIGINT) == 130
    assert wait_until(lambda: not living_in_session(run.process.pid))
    assert run.errors.strip() == ""
    assert not (tmp_path / "runs").exists()
