"""``make gpu`` without a GPU: nothing of it may fail for a trivial reason."""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from processes import is_alive, wait_until

from benchmarks.gpu import __main__ as program
from benchmarks.gpu import running
from benchmarks.gpu.command import Command
from benchmarks.gpu.parts import LONGEST_MINUTES, PARTS, Part, files_with_cuda_tests
from benchmarks.gpu.settings import ROOT
from benchmarks.gpu.tables import read
from benchmarks.gpu.verdicts import Verdict
from xconv_bench.cli.experiment import Experiment
from xconv_bench.cli.measuring import parsers
from xconv_bench.errors import UsageError
from xconv_bench.results.schema import TABLES

MEASURING = [
    pytest.param(name, number, id=f"{name} {number}")
    for name, part in PARTS.items()
    for number, command in enumerate(part.commands(Path("gpu")))
    if "xconv_bench" in command.words
]


def words_of(name: str, number: int) -> list[str]:
    """Return the words of a command of a part to ``xconv-bench``."""
    words = list(PARTS[name].commands(Path("gpu"))[number].words)
    assert words[:2] == ["-m", "xconv_bench"]
    return words[2:]


def without_a_gpu(words: Sequence[str]) -> list[str]:
    """The same on the CPU, or simulated where a CPU has no answer."""
    device = "simulated" if words[0] == "max-batch" else "cpu"
    return [device if word == "cuda" else word for word in words if word != "--verify"]


def planned(words: Sequence[str]) -> Experiment:
    """Return the experiment that the command line makes of it."""
    name, *given = words
    command = parsers()[name]
    with command.make_context(name, given) as context:
        experiment = command.invoke(context)
    assert isinstance(experiment, Experiment)
    return experiment


@pytest.mark.parametrize(("name", "number"), MEASURING)
def test_every_command_is_planned_by_the_real_command_line(name: str, number: int) -> None:
    words = words_of(name, number)
    assert ("--verify" in words) == (name == "max-batch")
    experiment = planned(without_a_gpu(words))
    assert len(experiment.cells) > 1
    assert {cell.method for cell in experiment.cells} > {"exact"}
    assert experiment.output is not None
    table = (experiment.output / experiment.tables[0]).relative_to("gpu")
    assert str(table) in PARTS[name].tables


def test_a_wrong_word_would_be_found() -> None:
    """The test above rests on it."""
    with pytest.raises(UsageError, match="'no-such-method' is unknown"):
        planned(["memory", "--model", "resnet18", "--method", "no-such-method"])


def test_the_dry_run_lists_all_parts_and_needs_no_gpu(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["--dry-run"]) == 0
    printed = capsys.readouterr().out
    for name, part in PARTS.items():
        assert f"\n{name}: {part.shows}; about " in f"\n{printed}"
        for command in part.commands(Path("runs/gpu") / name):
            assert str(command) in printed
            assert 0 < command.seconds < LONGEST_MINUTES * 60
    assert "all together: about " in printed


def test_the_makefile_has_a_dry_run() -> None:
    finished = subprocess.run(
        ["make", "gpu", "GPU=dry", "BARE=1", f"PYTHON={sys.executable}"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    assert "all together: about " in finished.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--part", "speed"], "--part 'speed' is unknown: choose from tests, memory, max-batch"),
        (["--minutes", "0"], "--minutes 0: expected a number above 0"),
    ],
)
def test_mistakes(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(arguments) == 2
    assert message in capsys.readouterr().err


def test_without_a_gpu_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert program.main(["--output", str(tmp_path)]) == 1
    line = "benchmarks.gpu: torch sees no CUDA device here; --dry-run lists the parts without one\n"
    assert capsys.readouterr().err == line
    assert list(tmp_path.iterdir()) == []


def test_the_tests_with_the_mark_are_found() -> None:
    names = {path.name for path in files_with_cuda_tests()}
    assert {"test_cuda_layers.py", "test_cuda_training.py", "test_cuda_alone.py"} <= names
    assert {"test_dtypes.py", "test_errors.py", "test_cuda_measurements.py"} <= names


def test_tests_are_recorded_one_by_one(tmp_path: Path) -> None:
    """By the command that runs them on a GPU, with tests that need none."""
    suite = tmp_path / "test_suite.py"
    suite.write_text(
        "import pytest\n"
        "pytestmark = pytest.mark.cuda\n"
        "def test_good(): pass\n"
        "def test_bad(): assert 1 == 2, 'wrong'\n"
        "@pytest.mark.skip(reason='not here')\n"
        "def test_other(): pass\n"
        "@pytest.fixture\n"
        "def broken(): raise ValueError('no fixture')\n"
        "def test_setup(broken): pass\n"
    )
    (tmp_path / "test_import.py").write_text("import pytest, no_such_package\n# mark.cuda")
    command, *_ = PARTS["tests"].commands(tmp_path)
    options = command.words[: command.words.index("benchmarks.gpu.recorder") + 1]
    own = ("-n", "2", "--continue-on-collection-errors", str(tmp_path))
    command = Command((*options, *own), 1, command.environment)
    how = running.run(command, tmp_path / "log.txt", time.monotonic() + 60, lambda: None)
    assert how == "ended with exit code 1"
    rows = read(tmp_path / "tests.csv").set_index("test").fillna("")
    rows.index = [name.rpartition("/")[2].rpartition("::")[2] for name in rows.index]
    assert rows.status.to_dict() == {
        "test_good": "passed", "test_bad": "failed", "test_other": "skipped",
        "test_setup": "failed", "test_import.py": "failed",
    }  # fmt: skip
    assert rows.message["test_bad"].startswith("AssertionError: wrong")
    assert rows.message["test_other"] == "Skipped: not here"
    assert "no fixture" in rows.message["test_setup"]
    assert "no_such_package" in rows.message["test_import.py"]
    text = str(PARTS["tests"].verdict(tmp_path))
    assert text.startswith("missed: 1 passed, 3 failed (") and text.endswith("), 1 skipped")


HANGS = """
import pathlib, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
time.sleep(600)
"""


def test_a_command_is_ended_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "GRACE_SECONDS", 0.2)
    note = tmp_path / "pid"
    ticks: list[bool] = []
    command = Command(("-c", HANGS, str(note)), 1)

    def tick() -> None:
        ticks.append(note.exists() and note.read_text() != "")

    monkeypatch.setattr(running, "_TICK_SECONDS", 0.1)
    clock = SimpleNamespace(monotonic=lambda: float(any(ticks)))
    monkeypatch.setattr(running, "time", clock)  # time passes once the command hangs
    assert running.run(command, tmp_path / "log.txt", 0.5, tick) == running.CUT_OFF
    assert any(ticks)
    assert wait_until(lambda: not is_alive(int(note.read_text())))


def one_part(words: tuple[str, ...], verdict: Callable[[Path], Verdict]) -> dict[str, Part]:
    """A program of one part, in the place of a part that exists."""
    return {"train": Part("train", "shown", lambda folder: [Command(words, 1)], verdict, ())}


@pytest.fixture
def with_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "_no_gpu", lambda: "")
    monkeypatch.setattr(running, "GRACE_SECONDS", 0.2)
    monkeypatch.setattr(program, "_RESERVED_SECONDS", 0.0)
    monkeypatch.setattr("signal.signal", lambda *_: None)


@pytest.mark.usefixtures("with_a_gpu")
@pytest.mark.parametrize(
    ("script", "met", "minutes", "code", "line"),
    [
        ("print('fine')", True, "8", 0, "met: all is well ("),
        ("print('fine')", False, "8", 1, "missed: all is well ("),
        ("raise SystemExit(3)", True, "8", 0,
         "met: all is well; command 1 of 1 ended with exit code 3 ("),
        ("import time; time.sleep(60)", None, "0.01", 1,
         "nothing to judge: all is well; command 1 of 1 was cut off ("),
    ],
    ids=["met", "missed", "failed", "cut off"],
)  # fmt: skip
def test_a_verdict_is_left_whatever_happens(
    script: str, met: bool | None, minutes: str, code: int, line: str,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    parts = one_part(("-c", script), lambda folder: Verdict(met, "all is well"))
    monkeypatch.setattr(program, "PARTS", parts)
    assert program.main(["--output", str(tmp_path), "--minutes", minutes]) == code
    assert (tmp_path / "train" / "verdict.txt").read_text().startswith(line)
    assert line in (tmp_path / "summary.md").read_text()
    assert (tmp_path / "train" / "log.txt").read_text().startswith("$ python -c ")


@pytest.mark.usefixtures("with_a_gpu")
def test_a_verdict_is_there_while_a_command_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who kills the program itself finds what was known by then."""
    seen = []

    def run(command: Command, log: Path, deadline: float, tick: Callable[[], Any]) -> str:
        seen.append((log.parent / "verdict.txt").read_text())
        tick()
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "run", run)
    monkeypatch.setattr(program, "PARTS", one_part(("-c", ""), lambda _: Verdict(True, "well")))
    assert program.main(["--output", str(tmp_path)]) == 1
    assert seen[0].startswith("met: well; not finished (")
    assert "met: well; not finished (" in (tmp_path / "summary.md").read_text()


@pytest.mark.usefixtures("with_a_gpu")
def test_tables_that_cannot_be_judged_do_not_end_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(folder: Path) -> Verdict:
        raise KeyError("no such column")

    monkeypatch.setattr(program, "PARTS", one_part(("-c", ""), broken))
    assert program.main(["--output", str(tmp_path)]) == 1
    line = "nothing to judge: the tables cannot be judged (KeyError: 'no such column')"
    assert (tmp_path / "train" / "verdict.txt").read_text().startswith(line)


def test_every_table_of_the_benchmark_is_one_that_exists() -> None:
    for part in PARTS.values():
        for table in part.tables:
            name = Path(table).name
            assert name in (*TABLES, "tests", "tests_alone", "workspaces", "launches")
