"""Whatever becomes of a measurement's process becomes an outcome, and stays in that process."""

import os
import signal
from collections.abc import Iterator, Sequence
from multiprocessing import forkserver
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import pieces_of_work as pieces
import pytest
from pieces_of_work import Ends
from processes import is_alive, wait_until

from xconv_bench.errors import UsageError
from xconv_bench.launch import Launcher

KEPT = {"saved_bytes": 7}


@pytest.fixture(scope="module")
def launcher() -> Launcher:
    return Launcher(timeout_seconds=60)


def test_each_piece_of_work_has_a_process_of_its_own(launcher: Launcher) -> None:
    first, second = (launcher.run(pieces.tell_process).readings for _ in range(2))
    assert len({os.getpid(), first["pid"], second["pid"]}) == 3
    assert not is_alive(first["pid"])
    assert first["leak"] is None and second["leak"] is None
    assert first["seed"] == second["seed"] != first["pid"]
    assert pieces.LEAK not in os.environ


def test_imports_are_there_and_nobody_looks_for_garbage_among_them(launcher: Launcher) -> None:
    found = launcher.run(pieces.tell_imports).readings
    assert {"torch", "torchvision", "xconv", "xconv_bench.measurement.measure"} <= found["modules"]
    assert found["looks"], "what a network leaves is garbage"
    assert found["kept"] > 100_000 > 10 * found["looked_at"]


def test_a_network_may_choose_how_processes_start(launcher: Launcher) -> None:
    outcome = launcher.run(pieces.choose_how_processes_start)
    assert (outcome.status, outcome.readings) == ("ok", {"method": "spawn"}), outcome.message


def test_what_was_read_comes_back(launcher: Launcher) -> None:
    outcome = launcher.run(Ends(len, ("nothing",)))
    assert outcome.ending == {"status": "ok", "message": "before"}
    assert outcome.readings == {"saved_bytes": 7, "live_peak_bytes": 8}


@pytest.mark.parametrize(
    ("how", "status", "message"),
    [
        (pieces.raise_two_lines, "error", "ValueError: first line second line (pieces_of_work.py,"),
        (pieces.raise_unsupported, "unsupported", "has no convolution"),
        (pieces.raise_bench_error, "error", "no such device"),
        (pieces.give_up, "error", "SystemExit: the network calls sys.exit"),
        (pieces.allocate_the_absurd, "oom", "RuntimeError"),
    ],
)
def test_an_exception_becomes_a_status(
    launcher: Launcher, how: object, status: str, message: str
) -> None:
    outcome = launcher.run(Ends(how))  # type: ignore[arg-type]
    assert outcome.status == status
    assert outcome.message.startswith(f"before; {message}")
    assert "\n" not in outcome.message
    assert outcome.readings == KEPT


def test_a_mistake_of_the_users_is_raised(launcher: Launcher) -> None:
    with pytest.raises(UsageError, match=r"^choose another model$"):
        launcher.run(Ends(pieces.raise_usage_error))


@pytest.mark.parametrize(
    ("how", "status", "message"),
    [
        (Ends(pieces.end_by_signal, (signal.SIGSEGV,)), "error", "the process died of SIGSEGV"),
        (
            Ends(pieces.end_by_signal, (signal.SIGRTMIN + 1,)),
            "error",
            "the process died of signal ",
        ),
        (Ends(pieces.end_by_signal, (signal.SIGKILL,)), "oom", "most likely out of memory"),
        (Ends(os._exit, (3,)), "error", "the process ended by itself with exit code 3"),
        (Ends(os._exit, (0,)), "error", "the process ended by itself with exit code 0"),
    ],
    ids=["SIGSEGV", "real-time", "SIGKILL", "exit 3", "exit 0"],
)
def test_a_death_becomes_a_status(launcher: Launcher, how: Ends, status: str, message: str) -> None:
    outcome = launcher.run(how)
    assert outcome.status == status
    assert message in outcome.message
    assert outcome.readings == KEPT


def test_a_death_is_seen_while_a_child_holds_the_pipe(launcher: Launcher, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    try:
        outcome = launcher.run(Ends(pieces.die_and_leave_a_child, (note,)))
        assert outcome.message == "before; the process died of SIGSEGV"
    finally:
        os.kill(int(note.read_text()), signal.SIGKILL)


@pytest.fixture
def note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where a piece of work notes that it hangs: before that its time does not run out."""
    path = tmp_path / "pid"

    def patient(ready: Sequence[Any], seconds: float | None = None) -> list[Any]:
        while not (path.exists() and path.read_text()):
            if found := wait(ready, 0.02):
                return found
        return wait(ready, seconds)

    monkeypatch.setattr("xconv_bench.launch.process.wait", patient)
    return path


def test_a_process_that_hangs_is_ended(note: Path) -> None:
    outcome = Launcher(timeout_seconds=0.1).run(Ends(pieces.ignore_everything, (note,)))
    assert (outcome.status, outcome.readings) == ("timeout", KEPT)
    assert outcome.message == "before; given up after 0.1 s (--timeout)"
    assert not is_alive(int(note.read_text()))


def test_readings_that_cannot_be_sent_are_an_error(launcher: Launcher) -> None:
    outcome = launcher.run(pieces.yield_a_function)
    assert (outcome.status, outcome.readings) == ("error", KEPT)
    assert "pickle" in outcome.message


def test_the_next_measurement_is_as_good_as_new(launcher: Launcher) -> None:
    launcher.run(Ends(pieces.end_by_signal, (signal.SIGSEGV,)))
    assert launcher.run(pieces.tell_process).status == "ok"


def test_nothing_stays_open(launcher: Launcher) -> None:
    launcher.run(pieces.tell_process)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        launcher.run(pieces.tell_process)
    assert wait_until(lambda: len(os.listdir("/proc/self/fd")) <= before)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Whoever started the tests may have told them to ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_the_user_can_still_interrupt(launcher: Launcher, monkeypatch: pytest.MonkeyPatch) -> None:
    launcher.run(pieces.tell_process)
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    # Also where Ctrl-C comes while the fork server starts.
    monkeypatch.setattr(forkserver, "ensure_running", lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        launcher.run(pieces.tell_process)
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


class InterruptedWhileSent:
    """Work during whose sending Ctrl-C arrives."""

    sent_whole = False

    def __call__(self) -> list[dict[str, object]]:
        return []

    def __getstate__(self) -> dict[str, object]:
        signal.raise_signal(signal.SIGINT)
        InterruptedWhileSent.sent_whole = True
        return {}


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_waits_until_the_work_is_sent(launcher: Launcher) -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        launcher.run(InterruptedWhileSent())
    assert InterruptedWhileSent.sent_whole
    assert signal.getsignal(signal.SIGINT) is before


def test_a_piece_of_work_may_have_less_time_than_others(note: Path) -> None:
    work = Ends(pieces.ignore_everything, (note,))
    outcome = Launcher(timeout_seconds=60).run(work, timeout_seconds=0.1)
    assert (outcome.status, outcome.message) == ("timeout", "before; given up after 0.1 s")
