"""Correlations of an output gradient with basis images of blocks, for every kernel offset.

The block at pixel a of an input sees, through kernel offset k, the pixels y of the output with
stride·y + dilation·k − padding = a + z, z inside the block. These form a window of the output
gradient that moves by side/stride from block to block. One matrix, the same for all blocks, holds
the weight of each pixel of a window for each frequency and offset.
"""

from __future__ import annotations

from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from xconv.cached import cached
from xconv.geometry import Geometry
from xconv.layout import Layout
from xconv.spectrum.blocks import Blocks, cosines, places
from xconv.spectrum.parts import CACHED, SMALL, SMALL_ELSEWHERE
from xconv.wholes import Stretch, whole

_THIN = 5
"""Factor by which a multiplication is slower in a transform, whose products are thin."""
_SLOWER = {"cpu": 2.5}
_SLOWER_ELSEWHERE = 1.0
"""Factor by which a multiplication is slower here than in the library's weight gradient.

On CPUs, libraries compute convolutions at up to twice the speed of matrix products, and these are
of some images at a time and followed by copies. From a fifth of the input's frequencies on, forming
x̂ is then quicker even where it takes twice the multiplications.
"""


def applies(blocks: Blocks, geometry: Geometry) -> bool:
    """Return whether all windows are alike: borders of zeros, and blocks that end with the map."""
    return (
        not geometry.transposed
        and not geometry.border
        and blocks.covered == blocks.pixels
        and all(side % step == 0 for side, step in zip(blocks.sides, geometry.stride, strict=True))
    )


def costs_less(
    blocks: Blocks,
    kept: int,
    geometry: Geometry,
    layout: Layout,
    weight: torch.Size,
    output: torch.Size,
) -> bool:
    """Return whether correlating takes less time than forming x̂, and has room for one image.

    Times are multiplications and the factors by which some are slower.
    """
    shapes = _window(blocks, tuple(weight[2:]), geometry)
    outputs, inputs = output[1], layout.shape[1]
    contracting = kept * prod(weight[2:]) * outputs * (inputs // geometry.groups)
    correlating = outputs * min(
        kept * prod(weight[2:]) * prod(length for length, _ in shapes),
        _THIN * _along_sides(blocks, tuple(weight[2:]), shapes),
    )
    expanding = _THIN * inputs * prod(blocks.covered) * sum(blocks.sides)
    expanding += prod(weight) * prod(output[2:])
    slower = _SLOWER.get(layout.device.type, _SLOWER_ELSEWHERE)
    if slower * blocks.number * (correlating + contracting) >= expanding:
        return False
    return images_at_a_time(blocks, kept, geometry, layout, weight, output) > 0


def images_at_a_time(
    blocks: Blocks,
    kept: int,
    geometry: Geometry,
    layout: Layout,
    weight: torch.Size,
    output: torch.Size,
) -> int:
    """Return the number of images whose windows and correlations are small enough together.

    They take at most half the memory of the layer's own input, output and weight; on a CPU they
    also fit into its cache.
    """
    kernel = tuple(weight[2:])
    shapes = _window(blocks, kernel, geometry)
    window, offsets = prod(length for length, _ in shapes), prod(kernel)
    if _is_at_once(kept, blocks, kernel, shapes):
        matrix, an_output = kept * offsets * window, window + 2 * kept * offsets
    else:
        matrix, an_output = 0, (blocks.size + kept) * offsets + window
    an_image = blocks.number * output[1] * an_output
    own = (prod(layout.shape) + prod(output)) * layout.dtype.itemsize // 4 + prod(weight)
    small = SMALL.get(layout.device.type, SMALL_ELSEWHERE)
    fitting = (max(own // 2, small) - matrix) // an_image
    if layout.device.type == "cpu":
        fitting = min(fitting, max(1, CACHED // an_image))
    return max(0, min(fitting, layout.shape[0]))


@whole
def correlate(
    windows: Tensor,
    frequencies: Tensor,
    blocks: Blocks,
    kernel: tuple[int, ...],
    geometry: Geometry,
) -> Tensor:
    """Return (kept, images · blocks, K, outputs): ``windows`` correlated with the basis images.

    ``windows`` (images · blocks, *lengths, outputs). If many frequencies are kept, sides are
    processed one after the other for all frequencies; otherwise all sides at once for the kept
    ones.
    """
    shapes = _window(blocks, kernel, geometry)
    factors = [
        _factor(axis, shape, blocks, kernel[axis], geometry) for axis, shape in enumerate(shapes)
    ]
    where = places(frequencies, blocks)
    if _is_at_once(len(frequencies), blocks, kernel, shapes):
        matrix = factors[0][where[0]]
        for factor, index in zip(factors[1:], where[1:], strict=True):
            matrix = torch.einsum("fkw,fmv->fkmwv", matrix, factor[index]).flatten(1, 2).flatten(2)
        matrix = matrix.reshape(-1, matrix.shape[-1]).to(windows.device, non_blocking=True)
        seen = torch.matmul(matrix, windows.flatten(1, -2))
        seen = seen.view(len(windows), len(frequencies), prod(kernel), -1)
        return seen.transpose(0, 1)
    seen = windows
    for axis in reversed(range(len(shapes))):
        matrix = factors[axis].flatten(0, 1).to(windows.device, non_blocking=True)
        lines = seen.reshape(prod(seen.shape[: 1 + axis]), shapes[axis][0], -1)
        seen = torch.matmul(matrix, lines)
        seen = seen.view(*windows.shape[: 1 + axis], -1)
    pairs = [n for pair in zip(blocks.sides, kernel, strict=True) for n in pair]
    seen = seen.view(len(windows), *pairs, -1)
    dimensions = len(shapes)
    order = (*range(1, 2 * dimensions, 2), 0, *range(2, 2 * dimensions + 1, 2), -1)
    chosen = seen.permute(order)[
        tuple(index.to(windows.device, non_blocking=True) for index in where)
    ]
    return chosen.flatten(2, -2)


def _is_at_once(
    kept: int, blocks: Blocks, kernel: tuple[int, ...], shapes: list[tuple[int, int]]
) -> bool:
    at_once = kept * prod(kernel) * prod(length for length, _ in shapes)
    return at_once <= _THIN * _along_sides(blocks, kernel, shapes)


def _along_sides(blocks: Blocks, kernel: tuple[int, ...], shapes: list[tuple[int, int]]) -> int:
    """Return the multiplications of one side after the other, for a block and an output channel."""
    total, done = 0, 1
    left = prod(length for length, _ in shapes)
    for side, size, (length, _) in reversed(list(zip(blocks.sides, kernel, shapes, strict=True))):
        total += left * done * side * size
        left //= length
        done *= side * size
    return total


@cached
def _factor(
    axis: int, shape: tuple[int, int], blocks: Blocks, kernel: int, geometry: Geometry
) -> Tensor:
    """Return the weights of a window's pixels along one side, (side, K, length), on the CPU."""
    length, first = shape
    side = blocks.sides[axis]
    pixel = geometry.stride[axis] * (torch.arange(length)[None, :] + first)
    pixel = pixel - geometry.padding[axis]
    pixel = pixel + geometry.dilation[axis] * torch.arange(kernel)[:, None]
    inside = (pixel >= 0) & (pixel < side)
    rows = cosines(side, torch.float32, torch.device("cpu"))
    return rows[:, pixel.clamp(0, side - 1)] * inside


@whole
def windows(
    grad_output: Tensor, blocks: Blocks, kernel: tuple[int, ...], geometry: Geometry
) -> Tensor:
    """Return the windows of ``grad_output``, (images · blocks, *lengths, outputs)."""
    margins: list[int] = []
    shapes = _window(blocks, kernel, geometry)
    for axis, (length, first) in enumerate(shapes):
        step = blocks.sides[axis] // geometry.stride[axis]
        needed = (blocks.counts[axis] - 1) * step + length
        margins = [-first, needed + first - grad_output.shape[2 + axis], *margins]
    seen = F.pad(grad_output, margins) if any(margins) else grad_output
    for axis, (length, _) in enumerate(shapes):
        seen = seen.unfold(2 + axis, length, blocks.sides[axis] // geometry.stride[axis])
    dimensions = len(shapes)
    order = (0, *range(2, 2 + 2 * dimensions), 1)  # images, blocks, window, outputs
    seen = seen.permute(order)
    return seen.reshape(-1, *(length for length, _ in shapes), grad_output.shape[1])


@whole
def of_images(
    grad_output: Tensor,
    images: Stretch,
    frequencies: Tensor,
    blocks: Blocks,
    kernel: tuple[int, ...],
    geometry: Geometry,
) -> Tensor:
    """Return ``correlate`` for some ``images``: (kept · images · blocks, K, groups, outputs)."""
    deltas = images.within(grad_output)
    made = windows(deltas.float(), blocks, kernel, geometry)
    seen = correlate(made, frequencies, blocks, kernel, geometry)
    del made
    return seen.reshape(-1, prod(kernel), geometry.groups, deltas.shape[1] // geometry.groups)


def _window(blocks: Blocks, kernel: tuple[int, ...], geometry: Geometry) -> list[tuple[int, int]]:
    """Return for each side the length of a window and the first pixel of the first one."""
    shapes = []
    for side, size, step, dilation, padding in zip(
        blocks.sides, kernel, geometry.stride, geometry.dilation, geometry.padding, strict=True
    ):
        first = -((dilation * (size - 1) - padding) // step)
        last = (side - 1 + padding) // step
        shapes.append((last - first + 1, first))
    return shapes
