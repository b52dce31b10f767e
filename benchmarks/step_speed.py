"""Time a training step of a whole network, method beside method, and say where it goes.

Exact, the paper's setting, everything compressed and checkpointing take steps in turns on the same
batch. Each then takes one more step in torch's profiler, which adds some time to every operator.
With ``--compile``, each is also compiled, as one graph, and compared with itself.
"""

import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from benchmarks import performance_page
from benchmarks.operator_kinds import milliseconds_by_kind
from benchmarks.speed_program import made_by, parsed, parser, record
from benchmarks.timing import Step, compare, settle_heap
from benchmarks.whole_network import METHODS
from xconv_bench.configuration import Configuration
from xconv_bench.events import Rows
from xconv_bench.measurement.runtime import RuntimeMeasurement
from xconv_bench.measurement.training import Training, prepare
from xconv_bench.meters.clock import time_steps

NAMES = ("exact", "paper", "all", "checkpoint")
WARMUP_STEPS = 3
COMPILERS = ("g++", "clang++", "cl")


@dataclass(frozen=True)
class StepCell:
    """One row: the step of one method; times with intervals over the rounds."""

    device: str
    model: str
    batch_size: int
    image_size: int
    name: str
    rounds: int | None
    step_seconds: float | None
    ratio_to_exact: float | None
    ratio_low: float | None
    ratio_high: float | None
    cpu_wait_part: float | None
    message: str


@dataclass(frozen=True)
class KindCell:
    """One row: the time of one kind of work in a step of one method."""

    device: str
    model: str
    name: str
    kind: str
    milliseconds: float


@dataclass(frozen=True)
class CompiledCell:
    """One row: the step of one method, as it is and compiled."""

    device: str
    model: str
    name: str
    eager_seconds: float
    compiled_seconds: float
    ratio_to_eager: float


def configurations(given: Any) -> dict[str, Configuration]:
    """Return the network with each method, by name."""
    return {
        name: Configuration(
            given.model, batch_size=given.batch_size, image_size=given.image_size,
            device=given.device, **METHODS[name],
        )
        for name in NAMES
    }  # fmt: skip


def times(cells: dict[str, Configuration], rounds: int) -> list[StepCell]:
    """Return the steps of all methods, measured in turns."""
    for event in RuntimeMeasurement(tuple(cells.values()), rounds)():
        if isinstance(event, Rows):
            found = event.rows
    return [
        StepCell(
            cell.device, cell.model, cell.batch_size, cell.image_size, name, row.get("rounds"),
            row.get("step_seconds"), 1.0 if name == "exact" else row.get("step_ratio"),
            row.get("step_ratio_low"), row.get("step_ratio_high"), row.get("cpu_wait_part"),
            row["message"],
        )
        for (name, cell), row in zip(cells.items(), found, strict=True)
    ]  # fmt: skip


def kinds(cells: dict[str, Configuration]) -> Iterator[list[KindCell]]:
    """Yield the kinds of work of one method after the other."""
    for name, cell in cells.items():
        print(f"profiling {name}", file=sys.stderr)
        training = prepared(cell)
        found = milliseconds_by_kind(training)
        yield [KindCell(cell.device, cell.model, name, kind, found[kind]) for kind in found]


def prepared(cell: Configuration) -> Training:
    """Return a step that has been taken a few times."""
    training = prepare(cell)
    for _ in range(WARMUP_STEPS):
        training.step()
    return training


def compiled(cells: dict[str, Configuration], seconds: float) -> Iterator[list[CompiledCell]]:
    """Yield a row for one method after the other; checkpoints are left out."""
    for name, cell in cells.items():
        if name != "checkpoint":
            print(f"compiling {name}", file=sys.stderr)
            training = prepared(cell)
            model: Any = torch.compile(training.model, fullgraph=True)
            steps = [_timed(each) for each in (training, replace(training, model=model))]
            eager, (own,) = compare(steps[0], steps[1:], seconds)
            yield [CompiledCell(cell.device, cell.model, name, eager, own, own / eager)]


def _timed(training: Training) -> Step:
    def run(steps: int) -> float:
        taken = time_steps(
            training.forward, training.backward, training.zero_grad, training.device,
            steps=steps, warmup=0,
        )  # fmt: skip
        return taken["step_seconds"]

    return run


def main(words: Sequence[str] | None = None) -> None:
    """Measure times, kinds and, on request, compiled networks; then write tables of the page."""
    options = parser(__doc__)
    options.add_argument("--model", default="resnet50")
    options.add_argument("--batch-size", type=int, default=32)
    options.add_argument("--image-size", type=int, default=224)
    options.add_argument("--rounds", type=int, default=10, help="steps of each method")
    options.add_argument(
        "--compile", action="store_true", help="time compiled networks, too; needs a compiler"
    )
    given = parsed(options, words)
    if given.compile and not any(map(shutil.which, COMPILERS)):
        options.error(f"--compile needs a C++ compiler: none of {', '.join(COMPILERS)} is there")
    if given.quick:
        given.model, given.batch_size, given.image_size, given.rounds = "paper/cifar", 2, 32, 3
    settle_heap()
    cells = configurations(given)
    folder, device = given.folder, given.device
    record(folder / f"step_speed_{device}.csv", StepCell, [times(cells, given.rounds)])
    record(folder / f"step_kinds_{device}.csv", KindCell, kinds(cells))
    parts = ["step", "kinds"]
    if given.compile:
        rows = compiled(cells, seconds=0.1 if given.quick else 30)
        record(folder / f"step_compiled_{device}.csv", CompiledCell, rows)
        parts.append("compiled")
    for part in parts:
        performance_page.update(folder, device, part, made_by("step_speed", words, device))


if __name__ == "__main__":
    main()
