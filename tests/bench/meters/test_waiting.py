"""The time that threads waited for a core, as the system counts it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from xconv_bench.meters import waiting
from xconv_bench.meters.waiting import BUSY, CoreWait, remark_on

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make up the files of the system."""
    monkeypatch.setattr(waiting, "_TASKS", tmp_path)
    return tmp_path


def put(tasks: Path, thread: int, wait: int) -> None:
    (tasks / str(thread)).mkdir(exist_ok=True)
    (tasks / str(thread) / "schedstat").write_text(f"123 {wait} 7\n")


def test_the_part_of_all_threads(tasks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([5.0, 5.7, 5.7])
    monkeypatch.setattr(waiting.time, "process_time", lambda: next(moments))
    put(tasks, 1, 500)
    put(tasks, 2, 900_000_000)
    put(tasks, 3, 70)
    meter = CoreWait()
    put(tasks, 2, 1_100_000_000)
    (tasks / "3/schedstat").unlink()  # a thread that ended
    put(tasks, 4, 100_000_000)  # one that began
    assert meter.part() == pytest.approx(0.3)
    assert meter.reading() == {"cpu_wait_part": pytest.approx(0.3), "message": waiting.REMARK}


@pytest.mark.parametrize("content", ["", "1", "no numbers\n"])
def test_a_system_that_does_not_say(tasks: Path, content: str) -> None:
    (tasks / "1").mkdir()
    (tasks / "1/schedstat").write_text(content)
    assert CoreWait().part() is None and CoreWait().reading() == {}
    (tasks / "1/schedstat").unlink()
    (tasks / "1").rmdir()
    tasks.rmdir()
    assert CoreWait().part() is None


def test_what_is_worth_a_word() -> None:
    assert [bool(remark_on(part)) for part in (None, 0.0, BUSY, BUSY + 0.01)] == [0, 0, 0, 1]


TWO_ON_A_CORE = """
import os, time
from xconv_bench.meters.waiting import CoreWait
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
other = os.fork()
while not other:
    pass
meter = CoreWait()
while time.process_time() < 0.3:
    pass
print(meter.part())
os.kill(other, 9)
"""


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="the system does not say")
def test_two_that_share_a_core() -> None:
    """A fair scheduler lets each wait for about half of the time."""
    finished = subprocess.run(
        [sys.executable, "-c", TWO_ON_A_CORE], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert BUSY < float(finished.stdout) < 1
