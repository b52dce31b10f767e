"""A run has a directory of its own, or one that it is given, and is alone in it."""

import subprocess
import sys
from pathlib import Path

import pytest

from xconv_bench.configuration import MemoryConfiguration
from xconv_bench.errors import UsageError
from xconv_bench.results import run_directory
from xconv_bench.results.run_directory import RunDirectory

HOLDER = """
import sys
from pathlib import Path
from xconv_bench.results.run_directory import RunDirectory

run = RunDirectory("memory", "m", Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def somewhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("resnet50", "resnet50"),
        ("timm:vit/tiny.in1k", "timm-vit-tiny.in1k"),
        ("../../secret.py:build", "secret.py-build"),
        ("$(reboot) é", "reboot"),
        ("///", "model"),
        ("m" * 500, "m" * 80),
    ],
    ids=["plain", "timm", "path", "shell", "nothing left", "long"],
)
def test_the_name_says_what_was_run(model: str, name: str) -> None:
    with RunDirectory("memory", model) as run:
        assert run.path.parent == Path("runs")
        assert run.path.is_dir()
        prefix, date, time = run.path.name.rsplit("-", 2)
        assert prefix == f"memory-{name}"
        assert (len(date), len(time)) == (8, 6)


def test_runs_of_the_same_second_have_directories_of_their_own() -> None:
    runs = [RunDirectory("memory", "m") for _ in range(4)]
    assert len({run.path for run in runs}) == 4
    for run in runs:
        run.close()


def test_a_directory_that_is_given_keeps_its_rows(tmp_path: Path) -> None:
    output = tmp_path / "deep" / "er"
    key = MemoryConfiguration("m").key
    with RunDirectory("memory", "m", output) as run:
        assert run.path == output
        run.table("memory").put({**key, "status": "ok"})
    with RunDirectory("memory", "m", output) as again:
        row = again.table("memory").find(key)
        assert row is not None
        assert row["status"] == "ok"
        assert again.plots == output / "plots"
        assert again.environment == output / "environment.json"


@pytest.mark.parametrize("output", ["file", "file/below"])
def test_a_file_in_the_way_is_refused(tmp_path: Path, output: str) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match=f"{output} cannot be used: .*choose another --output"):
        RunDirectory("memory", "m", tmp_path / output)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_file_called_runs_is_refused(tmp_path: Path) -> None:
    run_directory.RUNS.write_text("mine")
    with pytest.raises(UsageError, match=r"runs cannot be used: File exists"):
        RunDirectory("memory", "m")


def test_a_directory_that_cannot_be_written_to_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^/proc/self/fdinfo cannot be used: "):
        RunDirectory("memory", "m", Path("/proc/self/fdinfo"))


def test_a_remedy_names_the_option_that_the_directory_came_from(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"choose another --resume$"):
        RunDirectory("run", "m", Path("/proc/self/fdinfo"), "--resume")
    with (
        RunDirectory("run", "m", tmp_path),
        pytest.raises(UsageError, match=r"choose another --resume$"),
    ):
        RunDirectory("run", "m", tmp_path, "--resume")


def test_a_second_run_is_refused_until_the_first_closes(tmp_path: Path) -> None:
    with (
        RunDirectory("memory", "m", tmp_path),
        pytest.raises(UsageError, match="is in use by another run: wait for its end"),
    ):
        RunDirectory("memory", "m", tmp_path)
    RunDirectory("memory", "m", tmp_path).close()


def test_a_killed_run_lets_go(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(UsageError, match="is in use"):
            RunDirectory("memory", "m", tmp_path)
        holder.kill()
    RunDirectory("memory", "m", tmp_path).close()
