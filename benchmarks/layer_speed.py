"""Time one 3×3 layer, forward and backward, against ``torch.nn.Conv2d``: ``make bench``.

Every cell times the exact layer and all variants of ours in turns, round after round, and compares
their medians. Only the ratios mean something: seconds differ from machine to machine.
"""

import itertools
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from benchmarks import performance_page
from benchmarks.speed_program import made_by, parsed, parser, record
from benchmarks.timing import compare, settle_heap, smooth_images, step_of
from xconv import XConv2d

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

CELL_SECONDS, QUICK_SECONDS = 2.0, 0.02
"""Seconds for the slowest variant of a shape."""
QUICK_SHAPES = 1
"""Number of shapes that a quick run tries."""


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


def measure(
    batch: int, channels: int, size: int, dtype: str, device: str, seconds: float
) -> Iterator[Cell]:
    """Yield all variants for one shape."""
    print(f"{dtype} {batch} × {channels} × {size}²", file=sys.stderr)
    torch.manual_seed(0)
    input = smooth_images((batch, channels, size, size), getattr(torch, dtype), device)
    grad_output = torch.randn_like(input)
    layers: list[nn.Module] = [
        nn.Conv2d(channels, channels, 3, padding=1),
        *(
            XConv2d(channels, channels, 3, padding=1, scheme=scheme, **dial)
            for scheme, dial in KINDS
        ),
    ]
    exact, *ours = [step_of(layer.to(input), input, grad_output) for layer in layers]
    exact_seconds, times = compare(exact, ours, seconds)
    for (scheme, dial), ours_seconds in zip(KINDS, times, strict=True):
        yield Cell(
            device, dtype, batch, channels, size, scheme, dial.get("probes"), dial.get("bits"),
            exact_seconds, ours_seconds, ours_seconds / exact_seconds,
        )  # fmt: skip


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


def page(cells: Sequence[Cell], made: str) -> str:
    """Return the page: the table, and what made it."""
    return f"""# Time of one layer

This page compares the time of one 3×3 layer of ours with `torch.nn.Conv2d`: medians of forward and
backward, input gradient included, with as many output channels as input channels, measured in turns
in the same run. {made}
Below 1 our layer is quicker; forward and input gradient alone are two thirds of the exact layer's
work, so about 0.67 is what to expect at best. Layers of a millisecond pay for small operations that
do not grow with the input: [performance](../performance.md) has the goals, and reasons where they
are missed. Shapes of the grid whose input has more elements than `--largest-elements` are left out.

{table(cells)}
"""


def main(words: Sequence[str] | None = None) -> None:
    """Measure and write each row at once, then the page; Ctrl-C keeps what there is."""
    options = parser(__doc__)
    options.add_argument("--dtype", nargs="+", default=["float32"])
    options.add_argument("--largest-elements", type=int, default=2**27, help="skip larger inputs")
    given = parsed(options, words)
    grid = itertools.product(given.dtype, shapes(given.device, given.largest_elements))
    seconds, limit = (QUICK_SECONDS, QUICK_SHAPES) if given.quick else (CELL_SECONDS, None)
    settle_heap()
    cells = record(
        given.folder / f"layer_speed_{given.device}.csv",
        Cell,
        (
            list(measure(*shape, dtype, given.device, seconds))
            for dtype, shape in itertools.islice(grid, limit)
        ),
    )
    if cells:
        made = made_by("layer_speed", words, given.device)
        (given.folder / f"layer_speed_{given.device}.md").write_text(page(cells, made))
        print(table(cells))
        performance_page.renew_goals(given.folder, given.device)


if __name__ == "__main__":
    main()
