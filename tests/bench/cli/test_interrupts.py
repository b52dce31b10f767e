"""A command that is stopped ends cleanly, keeps its rows and says how to go on."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import own_networks
import pytest
from own_networks import name
from processes import listen_to_interrupts, living_in_session, wait_until
from run_directories import MEMORY, make_run

Command = Callable[..., Any]
ROOT = Path(__file__).resolve().parents[3]
COMMAND = [sys.executable, "-m", "xconv_bench"]
SWEEP = [
    "memory", "--model", name("Waits"), "--simulate", "--image-size", "8", "--batch-size", "1,2",
    "--scheme", "independent", "--no-cross-check",
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
                preexec_fn=listen_to_interrupts,
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


@pytest.mark.usefixtures("in_this_process")
def test_ctrl_c_in_the_middle_and_going_on(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runs: list[Run]
) -> None:
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
    monkeypatch.chdir(tmp_path)
    resumed = command(*shlex.split(advice)[len(COMMAND) :])
    assert resumed.code == 0, resumed.errors
    assert lines(table)[:3] == kept and len(lines(table)) == 5
    ends = [line.rpartition(", ")[2] for line in resumed.errors.splitlines()]
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


AS_SOMETHING_ELSE = """
try:
    interrupt()
except KeyboardInterrupt:
    raise AttributeError("module 'numpy' has no attribute 'subtract'")
"""
PRINTED_AND_FORGOTTEN = """
class Dies:
    def __del__(self):
        interrupt()
Dies()
raise ImportError("its reason is known to nobody")
"""
CAUGHT = """
try:
    interrupt()
except BaseException:
    pass
from contextlib import contextmanager
rc_context, rcdefaults, rcParams = contextmanager(iter), dict, {}
"""


def falls_into(module: str, how: str, folder: Path, arguments: list[str]) -> tuple[int, str, str]:
    """Interrupt the command where it imports a module; its exit code, output and errors."""
    (folder / "path").mkdir()
    (folder / f"path/{module}.py").write_text(
        "import os, signal, time\n"
        "def interrupt():\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    time.sleep(60)\n" + how
    )
    finished = subprocess.run(
        [*COMMAND, *arguments], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": f"{folder / 'path'}{os.pathsep}{ROOT}"},
        preexec_fn=listen_to_interrupts,
    )  # fmt: skip
    return finished.returncode, finished.stdout, finished.stderr


PLOTTED = ["memory", "--model", "paper/mnist", "--simulate", "--image-size", "8", "--method",
           "exact", "--no-cross-check", "--output", "run"]  # fmt: skip


@pytest.mark.usefixtures("in_this_process")
def test_ctrl_c_that_falls_into_an_import(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything was measured before, in this process: what is left is drawing it."""
    monkeypatch.chdir(tmp_path)
    assert command(*PLOTTED).code == 0
    code, output, errors = falls_into("matplotlib", AS_SOMETHING_ELSE, tmp_path, PLOTTED)
    said = [line for line in errors.splitlines() if not line.startswith("[1/1]")]
    assert (code, output) == (130, ""), errors
    assert said == [
        "interrupted: what was measured is kept in run; go on with:",
        f"  {shlex.join([*COMMAND, *PLOTTED])}",
    ]
    assert len(lines(tmp_path / "run/memory.csv")) == 2


@pytest.mark.parametrize("how", [PRINTED_AND_FORGOTTEN, CAUGHT], ids=["printed", "caught"])
def test_ctrl_c_that_nobody_raises_again(tmp_path: Path, how: str) -> None:
    make_run(tmp_path / "run", memory=MEMORY)
    assert falls_into("matplotlib", how, tmp_path, ["report", "run"]) == (130, "", "")


@pytest.mark.parametrize("how", [AS_SOMETHING_ELSE, PRINTED_AND_FORGOTTEN], ids=["else", "printed"])
def test_ctrl_c_while_the_command_itself_is_imported(tmp_path: Path, how: str) -> None:
    assert falls_into("typer", how, tmp_path, ["models"]) == (130, "", "")


def interrupt_in(command: str, folder: Path, handler: signal.Handlers) -> tuple[int, str, str]:
    """Call a command of that body, in a process that was told what to do on Ctrl-C."""
    (folder / "mine.py").write_text(
        "import atexit, os, signal, sys\n"
        "from xconv_bench.cli import main\n"
        "from xconv_bench.cli.app import app\n"
        "interrupt = lambda: os.kill(os.getpid(), signal.SIGINT)\n"
        f"app.command('mine')(lambda: {command})\n"
        "sys.argv = ['xconv-bench', 'mine']\n"
        "sys.exit(main())\n"
    )
    finished = subprocess.run(
        [sys.executable, "mine.py"], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, handler),
    )  # fmt: skip
    return finished.returncode, finished.stdout, finished.stderr


def test_ctrl_c_when_all_is_done(tmp_path: Path) -> None:
    """The interpreter still tidies up; it ends at once, by the signal, and says nothing."""
    late = interrupt_in("atexit.register(interrupt) and print('done')", tmp_path, signal.SIG_DFL)
    assert late == (-signal.SIGINT, "done\n", "")


def test_an_interrupt_that_is_ignored_stays_ignored(tmp_path: Path) -> None:
    """A shell starts in this way what is to run in the background."""
    ignored = interrupt_in("(interrupt(), print('went on'))[1]", tmp_path, signal.SIG_IGN)
    assert ignored == (0, "went on\n", "")
