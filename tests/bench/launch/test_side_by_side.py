"""Simulations run beside each other, GPUs one a job, and what is timed on the CPU runs alone."""

from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pieces_of_work import Ends, IsAlone, Meets, ignore_everything
from processes import is_alive, wait_until

from xconv_bench.configuration import Configuration
from xconv_bench.errors import UsageError
from xconv_bench.launch import Job, Listener, Outcome, Runner, side_by_side
from xconv_bench.launch.side_by_side import SideBySide


class Silent:
    """Counts what begins."""

    def __init__(self) -> None:
        self.begun: list[Configuration] = []

    def started(self, configuration: Configuration) -> None:
        self.begun.append(configuration)

    def heard(self, configuration: Configuration, event: Any) -> None:
        pass


def cell(number: int, device: str = "simulated") -> Configuration:
    return Configuration("net", batch_size=number, device=device)


def test_simulations_meet(tmp_path: Path) -> None:
    jobs = [Job.of(Meets(tmp_path, str(n), 2), cell(n)) for n in (1, 2)]
    watcher = Silent()
    outcomes = list(SideBySide(60, jobs=2).each(jobs, watcher))
    assert [outcome.status for _, outcome in outcomes] == ["ok", "ok"]
    assert {job for job, _ in outcomes} == set(jobs)
    assert watcher.begun == [cell(1), cell(2)]


@pytest.mark.parametrize("jobs", [1, 3])
def test_what_is_timed_on_the_cpu_is_alone(tmp_path: Path, jobs: int) -> None:
    work = [Job.of(IsAlone(tmp_path), cell(n, "cpu")) for n in range(3)]
    outcomes = list(SideBySide(60, jobs).each(work, Silent()))
    assert [outcome.status for _, outcome in outcomes] == ["ok"] * 3


def test_no_simulation_runs_beside_what_is_timed(tmp_path: Path) -> None:
    devices = ("simulated", "cpu", "simulated")
    work = [Job.of(IsAlone(tmp_path), cell(n, device)) for n, device in enumerate(devices)]
    work[2] = Job.of(Ends(len, ("",)), cell(2))
    outcomes = dict(SideBySide(60, 2).each(work, Silent()))
    assert {outcome.status for outcome in outcomes.values()} == {"ok"}


@pytest.mark.parametrize(
    ("variable", "expected"), [(None, {"0", "1"}), ("3,GPU-5", {"3", "GPU-5"})]
)
def test_each_job_sees_a_gpu_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str | None, expected: set[str]
) -> None:
    monkeypatch.setattr(side_by_side, "_gpu_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if variable is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", variable)
    jobs = [Job.of(Meets(tmp_path, str(n), 2), cell(n, "cuda")) for n in range(2)]
    outcomes = [outcome for _, outcome in SideBySide(60, jobs=8).each(jobs, Silent())]
    assert {outcome.readings["visible"] for outcome in outcomes} == expected


def place(device: str, *taken: str) -> Any:
    found: list[Any] = []
    for other in taken:
        found.append(side_by_side._place(other, found))
    return side_by_side._place(device, found)


@pytest.mark.parametrize(
    ("device", "taken", "may_begin"),
    [
        ("simulated", ("simulated",), True),
        ("simulated", ("cpu",), False),
        ("simulated", ("cuda",), False),
        ("cpu", (), True),
        ("cpu", ("simulated",), False),
        ("cpu", ("cpu",), False),
        ("cuda", ("cuda",), True),
        ("cuda", ("cuda", "cuda"), False),
        ("cuda:1", ("cuda",), True),
        ("cuda:1", ("cuda:1",), False),
        ("cuda", ("cuda:0",), True),
        ("cuda", ("simulated",), False),
    ],
)
def test_who_may_begin(
    monkeypatch: pytest.MonkeyPatch, device: str, taken: tuple[str, ...], may_begin: bool
) -> None:
    monkeypatch.setattr(side_by_side, "_gpu_count", lambda: 2)
    assert (place(device, *taken) is not None) == may_begin


def test_a_gpu_that_was_chosen_by_number_stays_visible_with_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(side_by_side, "_gpu_count", lambda: 2)
    assert place("cuda:1").environment == {}
    assert place("cuda").environment == {"CUDA_VISIBLE_DEVICES": "0"}


def test_who_stops_listening_ends_what_runs(tmp_path: Path) -> None:
    """A full disk, an interrupt: no measurement goes on that nobody will write down."""
    note = tmp_path / "pid"
    jobs = [
        Job.of(Ends(ignore_everything, (note,)), cell(1)),
        Job((cell(2),), partial(_after, note)),
    ]
    with closing(SideBySide(600, jobs=2).each(jobs, Silent())) as results:
        done, _ = next(results)
    assert done is jobs[1]
    assert wait_until(lambda: not is_alive(int(note.read_text())))


def _after(note: Path, runner: Runner, listener: Listener) -> Outcome:
    assert wait_until(lambda: note.is_file() and note.read_text())
    return Outcome()


def test_a_mistake_of_the_users_ends_all(tmp_path: Path) -> None:
    def mistake(runner: Runner, listener: Listener) -> Outcome:
        raise UsageError("choose another model")

    with pytest.raises(UsageError, match="choose another model"):
        list(SideBySide(60, jobs=2).each([Job((cell(1),), mistake)], Silent()))
