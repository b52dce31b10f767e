"""Time one 3×3 layer, forward and backward, against ``torch.nn.Conv2d``: ``make bench``.

Every cell times the exact layer and all variants of ours in turns, round after round, and compares
their medians. Only the ratios mean something: seconds differ from machine to machine.
"""

import argparse
import csv
import functools
import itertools
import shlex
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xconv import XConv2d
from xconv_bench.meters.clock import time_steps

KINDS: tuple[tuple[str, dict[str, Any]], ...] = (
    *(
        (scheme, {"probes": probes})
        for scheme in ("independent", "multi", "orthogonal")
        for probes in (8, 32)
    ),
    ("spectral", {"bits": 0.5}),
)
"""Scheme and dial of each variant."""
MANY_CHANNELS = 128
"""Number of channels from which on layers have a mean of their own; there xconv is worth most."""
GRIDS = {
    "cpu": ((16, 32, 64), (16, 64, 256), (14, 28, 56, 112, 224)),
    "cuda": ((16, 32, 64), (64, 128, 256), (32, 64, 128, 256, 512)),
}
"""Batches, channels and image sizes, by device."""

_ROUND_SECONDS = 0.05
_CELL_SECONDS = 2.0
_ROUNDS = (3, 15)


@dataclass(frozen=True)
class Cell:
    """One row: a variant of our layer beside the exact one."""

    device: str
    dtype: str
    batch_size: int
    channels: int
    image_size: int
    scheme: str
    probes: int | None
    bits: float | None
    exact_step_seconds: float
    step_seconds: float
    ratio_to_exact: float

    @property
    def variant(self) -> str:
        """Return scheme and dial in words."""
        return _words(self.scheme, self.probes, self.bits)


Step = Callable[[int], float]
"""A function that runs a number of steps and returns the median of their seconds."""


def step_of(layer: nn.Module, input: Tensor, grad_output: Tensor) -> Step:
    """Return a step: forward, and backward down to the input."""

    def zero_grad() -> None:
        layer.zero_grad(set_to_none=True)
        input.grad = None

    def run(steps: int) -> float:
        times = time_steps(
            lambda: layer(input),
            lambda output: output.backward(grad_output),
            zero_grad,
            input.device,
            steps=steps,
            warmup=0,
        )
        return times["step_seconds"]

    return run


def compare(exact: Step, variants: Sequence[Step]) -> tuple[float, list[float]]:
    """Return medians of seconds, all measured in turns after warming up."""
    steps = [exact, *variants]
    for step in steps:
        step(1)
    slowest = max(step(1) for step in steps)
    repeats = max(1, int(_ROUND_SECONDS / slowest))
    rounds = int(_CELL_SECONDS / (slowest * repeats))
    rounds = min(max(rounds, _ROUNDS[0]), _ROUNDS[1])
    samples = [[step(repeats) for step in steps] for _ in range(rounds)]
    medians = [statistics.median(times) for times in zip(*samples, strict=True)]
    return medians[0], medians[1:]


def measure(batch: int, channels: int, size: int, dtype: str, device: str) -> Iterator[Cell]:
    """Yield all variants for one shape.

    The input is smooth and has zeros, as after a ReLU: ``spectral`` divides its bits by what it
    sees, and noise would make it keep what no image needs.
    """
    torch.manual_seed(0)
    make = functools.partial(torch.randn, dtype=getattr(torch, dtype), device=device)
    smooth = F.interpolate(make(batch, channels, -(-size // 4), -(-size // 4)), (size, size))
    input = (smooth + 0.3 * make(batch, channels, size, size)).relu_().requires_grad_()
    del smooth
    grad_output = make(batch, channels, size, size)
    layers: list[nn.Module] = [
        nn.Conv2d(channels, channels, 3, padding=1),
        *(
            XConv2d(channels, channels, 3, padding=1, scheme=scheme, **dial)
            for scheme, dial in KINDS
        ),
    ]
    exact, *ours = [step_of(layer.to(input), input, grad_output) for layer in layers]
    exact_seconds, seconds = compare(exact, ours)
    for (scheme, dial), ours_seconds in zip(KINDS, seconds, strict=True):
        yield Cell(
            device, dtype, batch, channels, size, scheme, dial.get("probes"), dial.get("bits"),
            exact_seconds, ours_seconds, ours_seconds / exact_seconds,
        )  # fmt: skip


def settle_heap() -> None:
    """Free a block of 32 MiB, as any training loop soon does.

    Only then does the C library keep blocks up to this size for the next call. Before, each is
    given back, and the next one pays for its pages again: seconds would depend on history.
    """
    torch.zeros(2**23 - 64)


def shapes(device: str, largest_elements: int) -> list[tuple[int, int, int]]:
    """Return the grid, the quickest shapes first, without inputs above ``largest_elements``."""
    grid = itertools.product(*GRIDS[device])
    fitting = [(b, c, n) for b, c, n in grid if b * c * n * n <= largest_elements]
    return sorted(fitting, key=lambda shape: shape[0] * shape[1] ** 2 * shape[2] ** 2)


def table(cells: Sequence[Cell]) -> str:
    """Return ratios to the exact layer as Markdown, a line for each shape, and geometric means."""
    variants = [_words(scheme, **dial) for scheme, dial in KINDS]
    rows: dict[tuple[str, int, int, int], dict[str, Cell]] = {}
    for cell in cells:
        shape = (cell.dtype, cell.batch_size, cell.channels, cell.image_size)
        rows.setdefault(shape, {})[cell.variant] = cell
    lines = [
        f"| dtype | batch | channels | image | exact | {' | '.join(variants)} |",
        "|" + "---|" * (5 + len(variants)),
    ]
    for shape, found in sorted(rows.items()):
        exact = next(iter(found.values())).exact_step_seconds
        ratios = " | ".join(f"{found[name].ratio_to_exact:.2f}" for name in variants)
        words = " | ".join(str(value) for value in shape)
        lines.append(f"| {words} | {exact * 1e3:.2f} ms | {ratios} |")
    many = [cell for cell in cells if cell.channels >= MANY_CHANNELS]
    for name, some, summary in (
        ("geometric mean", cells, statistics.geometric_mean),
        (f"of {MANY_CHANNELS} channels or more", many, statistics.geometric_mean),
        ("largest", cells, max),
    ):
        ratios_of: dict[str, list[float]] = {cell.variant: [] for cell in some}
        for cell in some:
            ratios_of[cell.variant].append(cell.ratio_to_exact)
        if ratios_of:
            found_ratios = "".join(f" **{summary(ratios_of[each]):.2f}** |" for each in variants)
            lines.append(f"| **{name}** |||||{found_ratios}")
    return "\n".join(lines)


def _words(scheme: str, probes: int | None = None, bits: float | None = None) -> str:
    """Return a text such as ``independent r=8`` or ``spectral 0.5 bits``."""
    return f"{scheme} r={probes}" if bits is None else f"{scheme} {bits:g} bits"


def page(cells: Sequence[Cell]) -> str:
    """Return the page: the table, and what made it."""
    command = shlex.join(["python", "-m", "benchmarks.layer_speed", *sys.argv[1:]])
    return f"""# Time of one layer

This page compares the time of one 3×3 layer of ours with `torch.nn.Conv2d`: medians of forward and
backward, input gradient included, with as many output channels as input channels, measured in turns
in the same run. Made by
`{command}` with torch {torch.__version__} on
{_processor(cells[0].device)}. Below 1 our layer is quicker; forward and input gradient alone are
two thirds of the exact layer's work, so about 0.67 is what to expect at best. Layers of a
millisecond pay for some half a millisecond of small operations that do not grow with the input.
Shapes of the grid whose input has more elements than `--largest-elements` are left out.

{table(cells)}
"""


def _processor(device: str) -> str:
    if device == "cuda":
        return torch.cuda.get_device_name()
    return f"a CPU with {torch.get_num_threads()} threads"


def main() -> None:
    """Measure and write each row at once, then the page; Ctrl-C keeps what there is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu", choices=sorted(GRIDS))
    parser.add_argument("--dtype", nargs="+", default=["float32"])
    parser.add_argument("--largest-elements", type=int, default=2**27, help="skip larger inputs")
    parser.add_argument("--output", type=Path, help="CSV to write, beside a Markdown page")
    options = parser.parse_args()
    output = options.output or Path(f"docs/benchmarks/layer_speed_{options.device}.csv")
    output.parent.mkdir(parents=True, exist_ok=True)
    grid = itertools.product(options.dtype, shapes(options.device, options.largest_elements))
    settle_heap()
    cells: list[Cell] = []
    with output.open("w", newline="") as file, suppress(KeyboardInterrupt):
        writer = csv.writer(file)
        writer.writerow(field.name for field in fields(Cell))
        for dtype, (batch, channels, size) in grid:
            print(f"{dtype} {batch} × {channels} × {size}²", file=sys.stderr)
            found = list(measure(batch, channels, size, dtype, options.device))
            writer.writerows(astuple(cell) for cell in found)
            file.flush()
            cells += found
    if cells:
        output.with_suffix(".md").write_text(page(cells))
        print(table(cells))
    print(f"\nwritten: {output}")


if __name__ == "__main__":
    main()
