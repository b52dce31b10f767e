"""An output gradient correlated with basis images of blocks, for every offset of a kernel.

The block at pixel a of an input sees, through kernel offset k, the pixels y of the output with
stride·y + dilation·k − padding = a + z, z inside the block: a window of the output gradient that
moves on by side/stride from block to block. One matrix, the same for all blocks, holds what each
pixel of a window counts for each frequency and offset.
"""

from __future__ import annotations

from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from xconv.geometry import Geometry
from xconv.layout import Layout
from xconv.spectrum.blocks import Blocks, cosines, places

_TRANSFORM_WEIGHT = 6
"""How much longer a multiplication takes in a transform, whose products are thin."""


def applies(blocks: Blocks, geometry: Geometry) -> bool:
    """Return whether windows are all alike: no borders but zeros, blocks that end with the map."""
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
    """Return whether correlating takes fewer multiplications than a transform and a convolution."""
    kernel = prod(weight[2:])
    outputs, inputs = output[1], layout.shape[1]
    window = prod(length for length, _ in _window(blocks, tuple(weight[2:]), geometry))
    a_block = kept * kernel * outputs
    correlating = blocks.number * a_block * (window + inputs // geometry.groups)
    expanding = inputs * prod(blocks.covered) * sum(blocks.sides) * _TRANSFORM_WEIGHT
    expanding += prod(weight) * prod(output[2:])
    return correlating < expanding


def correlators(
    frequencies: Tensor,
    blocks: Blocks,
    kernel: tuple[int, ...],
    geometry: Geometry,
    device: torch.device,
) -> Tensor:
    """Return (kept · K, W): what a pixel of a window counts for a frequency and an offset."""
    factors = []
    for axis, ((length, first), where) in enumerate(
        zip(_window(blocks, kernel, geometry), places(frequencies.long(), blocks), strict=True)
    ):
        side, step = blocks.sides[axis], geometry.stride[axis]
        pixel = step * (torch.arange(length)[None, :] + first) - geometry.padding[axis]
        pixel = pixel + geometry.dilation[axis] * torch.arange(kernel[axis])[:, None]
        inside = (pixel >= 0) & (pixel < side)
        rows = cosines(side, torch.float32, torch.device("cpu"))[where]
        factors.append(rows[:, pixel.clamp(0, side - 1)] * inside)  # (kept, K, W)
    matrix = factors[0]
    for factor in factors[1:]:
        matrix = torch.einsum("fkw,fmv->fkmwv", matrix, factor).flatten(1, 2).flatten(2)
    matrix = matrix.reshape(-1, matrix.shape[-1])
    return matrix.to(device, non_blocking=True)


def windows(
    grad_output: Tensor, blocks: Blocks, kernel: tuple[int, ...], geometry: Geometry
) -> Tensor:
    """Return (images · blocks, W, outputs): the windows of ``grad_output``, channels innermost."""
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
    return seen.reshape(-1, prod(length for length, _ in shapes), grad_output.shape[1])


def _window(blocks: Blocks, kernel: tuple[int, ...], geometry: Geometry) -> list[tuple[int, int]]:
    """Along each side, pixels of a window, and the first pixel of that of the first block."""
    shapes = []
    for side, size, step, dilation, padding in zip(
        blocks.sides, kernel, geometry.stride, geometry.dilation, geometry.padding, strict=True
    ):
        first = -((dilation * (size - 1) - padding) // step)
        last = (side - 1 + padding) // step
        shapes.append((last - first + 1, first))
    return shapes
