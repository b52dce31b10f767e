"""The parts of ``make gpu``, the most worthwhile first, and the commands of each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from benchmarks.gpu import verdicts
from benchmarks.gpu.command import Command, bench
from benchmarks.gpu.settings import (
    PRECISIONS,
    PROBES,
    ROOT,
    compress_sets,
    quick_methods,
    schemes,
)

LONGEST_MINUTES = 8.0
"""Minutes after which a part is cut off."""


@dataclass(frozen=True)
class Part:
    """A part: ``commands`` of a folder, and the ``verdict`` on its results so far."""

    name: str
    shows: str
    commands: Callable[[Path], Sequence[Command]]
    verdict: Callable[[Path], verdicts.Verdict]
    tables: tuple[str, ...]

    def seconds(self, folder: Path) -> float:
        """Return the seconds that it is expected to take."""
        return sum(command.seconds for command in self.commands(folder))


def files_with_cuda_tests() -> list[Path]:
    """Return the test files with the mark, by their text: others may import missing packages."""
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    return [path for path in files if "mark.cuda" in path.read_text()]


def _tests(folder: Path) -> list[Command]:
    """Return commands that run tests side by side, and alone if they fill the GPU.

    Most of them wait for compilers, which is why they share it.
    """
    files = files_with_cuda_tests()
    alone = [path for path in files if path.stem.endswith("_alone")]
    others = [path for path in files if path not in alone]
    workers = ["-n", str(max(2, (os.cpu_count() or 2) // 2))] if find_spec("xdist") else []
    return [
        _pytest(others, folder / "tests.csv", 200, *workers),
        _pytest(alone, folder / "tests_alone.csv", 25),
    ]


def _pytest(files: Sequence[Path], table: Path, seconds: float, *words: str) -> Command:
    plugins = ("--tb=short", "-p", "no:cacheprovider", "-p", "benchmarks.gpu.recorder")
    names = [str(path.relative_to(ROOT)) for path in files]
    words = ("-m", "pytest", "-q", "-m", "cuda", *plugins, *words, *names)
    return Command(words, seconds, {"XCONV_GPU_TESTS_CSV": str(table)})


def _memory(folder: Path) -> list[Command]:
    networks = ("resnet50", "squeezenet1_0", "vgg16", "paper/unet")
    shared = ["memory", "--method", "exact,xconv", *compress_sets()]
    return [
        *(
            bench(folder, 30, *shared, "--model", name, "--batch-size", "32,128")
            for name in networks
        ),
        bench(
            folder,
            40,
            "memory",
            "--model",
            "resnet50",
            "--batch-size",
            "32",
            "--method",
            quick_methods(),
            *compress_sets(),
        ),
        Command(("-m", "benchmarks.gpu.missed", str(folder)), 60),
    ]


def _max_batch(folder: Path) -> list[Command]:
    shared = [
        "max-batch", "--model", "squeezenet1_0", "--memory-budget", "16GiB", "--verify",
        "--method", "exact,xconv", "--probes", "16", *compress_sets(),
    ]  # fmt: skip
    return [bench(folder, 80, *shared, "--image-size", size) for size in ("256", "512", "128")]


def _layer_time(folder: Path) -> list[Command]:
    return [
        bench(folder / name, seconds, *words, *dtype, environment=environment)
        for words, seconds in _grid()
        for name, (dtype, environment) in PRECISIONS.items()
    ]


def _grid() -> Iterator[tuple[list[str], float]]:
    """Yield the paper's grid, the quickest shapes first.

    The last input alone has 8 GiB, and few fit at once.
    """
    shared = ["runtime", "--method", "exact,xconv", "--compress", "conv", "--rounds", "9"]
    usual = [*shared, *schemes(), "--probes", PROBES]
    all_channels = ["--model", "conv:64,conv:128,conv:256"]
    yield [*usual, *all_channels, "--image-size", "32,64,128", "--batch-size", "32"], 40
    yield [*usual, *all_channels, "--image-size", "256", "--batch-size", "32"], 25
    yield [*usual, *all_channels, "--image-size", "32,64", "--batch-size", "128"], 20
    yield [*usual, "--model", "conv:64,conv:128", "--image-size", "512", "--batch-size", "32"], 20
    few = [*shared, *schemes(), "--probes", "32"]
    yield [*few, "--model", "conv:256", "--image-size", "512", "--batch-size", "32"], 20


def _step(folder: Path) -> list[Command]:
    network = ["--model", "resnet50"]
    methods = [*network, "--method", quick_methods(), *compress_sets()]
    timed = ["--image-size", "224", "--batch-size", "64", "--rounds", "11"]
    return [
        bench(folder, 60, "runtime", *methods, *schemes(), *timed),
        Command(("-m", "benchmarks.gpu.launches", str(folder)), 40),
        bench(folder, 240, "max-batch", *methods, *schemes(), "--memory-budget", "16GiB"),
        bench(
            folder / "compiled", 120,
            "runtime", *network, "--method", "exact,compile-budget", *timed, timeout=200,
        ),
    ]  # fmt: skip


def _train(folder: Path) -> list[Command]:
    words = [
        "train", "--task", "classification", "--method", "exact,xconv", "--probes", "8,32",
        "--seeds", "2", *compress_sets(),
    ]  # fmt: skip
    return [bench(folder, 70, *words)]


PARTS = {
    part.name: part
    for part in (
        Part("tests", "the tests marked cuda", _tests, verdicts.of_tests, ("tests", "tests_alone")),
        Part(
            "memory", "allocated, reserved and driver's memory beside simulated", _memory,
            verdicts.of_memory, ("memory", "workspaces"),
        ),
        Part(
            "max-batch", "largest batch of SqueezeNet in 16 GiB, trained", _max_batch,
            verdicts.of_max_batch, ("max_batch",),
        ),
        Part(
            "layer-time", "a layer's time against cuDNN, without and with TF32, and in bfloat16",
            _layer_time, verdicts.of_layer_time, tuple(f"{name}/runtime" for name in PRECISIONS),
        ),
        Part(
            "step", "ResNet-50: time of a step and largest batch, all methods", _step,
            verdicts.of_step, ("runtime", "launches", "max_batch", "compiled/runtime"),
        ),
        Part(
            "train", "real digits learned with and without compression", _train,
            verdicts.of_train, ("training",),
        ),
    )
}  # fmt: skip
"""All parts by name, the most worthwhile first."""
