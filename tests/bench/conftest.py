"""The command line, called in this process; what compiling changes in it, put back."""

import importlib
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from xconv_bench.cli import main


@dataclass(frozen=True)
class Finished:
    """The end of a command and its output."""

    code: int
    output: str
    errors: str


Command = Callable[..., Finished]


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Command]:
    """``command("memory", "--model", ...)``; whatever it changes in this process is put back."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def call(*arguments: object) -> Finished:
        monkeypatch.setattr(sys, "argv", ["xconv-bench", *map(str, arguments)])
        capsys.readouterr()
        code = main()
        return Finished(code, *capsys.readouterr())

    yield call
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands measure in this process: one for each measurement is what other tests are for.

    A new process does everything for its first time, which takes longer than a small network.
    """
    from heard import run_here

    from xconv_bench.launch import Launcher

    monkeypatch.setattr(Launcher, "run", run_here)
    monkeypatch.setattr(sys, "path", [*sys.path])


@pytest.fixture
def unpainted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave files of pictures empty, where nobody looks into them."""
    from matplotlib.figure import Figure

    monkeypatch.setattr(Figure, "savefig", lambda self, path, **options: Path(path).touch())


@pytest.fixture(scope="module", autouse=True)
def nothing_was_compiled_before() -> None:
    """Forget compilations, whose kernels allocate unseen: after one, nothing live is counted."""
    utilities = sys.modules.get("torch._dynamo.utils")
    if utilities is not None:
        utilities.counters.clear()


@pytest.fixture
def compiler_as_before() -> Iterator[None]:
    """torch's settings cannot be monkeypatched: they have a way of their own."""
    import torch

    settings = importlib.import_module("torch._functorch.config")
    inductor = importlib.import_module("torch._inductor.config")
    torch._dynamo.reset()
    with (
        settings.patch(activation_memory_budget=1.0),
        inductor.patch(custom_partitioner_fn=None, fallback_random=False, layout_optimization=True),
    ):
        yield
    torch._dynamo.reset()
