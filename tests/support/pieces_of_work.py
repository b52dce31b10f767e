"""Work for the launcher: importable by name, since it runs in processes of its own."""

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from xconv_bench.errors import BenchError, Unsupported, UsageError
from xconv_bench.events import Event, Message

LEAK = "XCONV_BENCH_TEST_LEAK"


@dataclass(frozen=True)
class Ends:
    """Yields one reading, then ends as its function does, which may take arguments."""

    how: Callable[..., Any]
    arguments: tuple[Any, ...] = ()

    def __call__(self) -> Iterator[Event]:
        yield {"saved_bytes": 7}
        yield Message("before")
        self.how(*self.arguments)
        yield {"live_peak_bytes": 8}


def tell_process() -> Iterator[Event]:
    """Who and where we are, and what the process before us left behind."""
    yield {"pid": os.getpid(), "leak": os.environ.get(LEAK), "seed": torch.initial_seed()}
    os.environ[LEAK] = "left behind"
    torch.manual_seed(os.getpid())


def tell_imports() -> Iterator[Event]:
    """Tell which modules are here, and whether somebody looks for garbage among them."""
    yield {
        "modules": set(sys.modules),
        "looks": gc.isenabled(),
        "kept": gc.get_freeze_count(),
        "looked_at": len(gc.get_objects()),
    }


def choose_how_processes_start() -> Iterator[Event]:
    """Set how processes start, as a file with a network may where it is imported."""
    multiprocessing.set_start_method("spawn")
    yield {"method": multiprocessing.get_start_method()}


def raise_two_lines() -> None:
    raise ValueError("first line\n  second line")


def raise_usage_error() -> None:
    raise UsageError("choose another model")


def raise_unsupported() -> None:
    raise Unsupported("has no convolution")


def raise_bench_error() -> None:
    raise BenchError("no such device")


def give_up() -> None:
    sys.exit("the network calls sys.exit")


def end_by_signal(number: int) -> None:
    os.kill(os.getpid(), number)
    time.sleep(60)


def ignore_everything(note: Path) -> None:
    """Never end of one's own accord, whatever is asked politely."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    note.write_text(str(os.getpid()))
    time.sleep(600)


def die_and_leave_a_child(note: Path) -> None:
    """The child holds whatever we held open."""
    if child := os.fork():
        note.write_text(str(child))
        os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(600)


def allocate_the_absurd() -> None:
    torch.empty(2**60)


def print_everywhere() -> Iterator[Event]:
    """By Python, past Python's buffers, and by another program."""
    print("printed by Python")
    os.write(1, b"printed past Python\n")
    subprocess.run(["echo", "printed by another program"], check=True)
    yield {}


def yield_a_function() -> Iterator[Event]:
    """Yield a reading that cannot be pickled."""
    yield {"saved_bytes": 7}
    yield {"live_peak_bytes": lambda: 8}


@dataclass(frozen=True)
class Meets:
    """Waits until as many others as it expects are there too, and says which GPU it sees."""

    folder: Path
    name: str
    expected: int

    def __call__(self) -> Iterator[Event]:
        (self.folder / self.name).touch()
        deadline = time.monotonic() + 60
        while len(list(self.folder.iterdir())) < self.expected:
            if time.monotonic() > deadline:
                raise TimeoutError("nobody else came")
            time.sleep(0.01)
        yield {"visible": os.environ.get("CUDA_VISIBLE_DEVICES"), "pid": os.getpid()}


@dataclass(frozen=True)
class IsAlone:
    """Fails where another of its kind runs at the same time."""

    folder: Path

    def __call__(self) -> Iterator[Event]:
        mark = self.folder / "here"
        mark.touch(exist_ok=False)
        time.sleep(0.1)
        mark.unlink()
        yield {}
