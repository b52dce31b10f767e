"""Maps cut into blocks, and the cosine transform of each block.

A smooth image has nearly all its energy in few coefficients of a discrete cosine transform. The
transform is orthonormal, so errors of coefficients and of pixels have the same size.
"""

import functools
import math
from dataclasses import dataclass
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from xconv.cached import cached
from xconv.wholes import whole

_SIDES = {1: (32, 64), 2: (8, 16), 3: (4, 8)}
"""Shortest and longest side of a block, by dimensions of the map; shorter maps are one block."""


@dataclass(frozen=True)
class Blocks:
    """A division of maps of one size: ``sides`` of a block, ``counts`` of blocks along each side.

    Blocks may extend beyond the far edges of a map; the last pixel is repeated there.
    """

    pixels: tuple[int, ...]
    sides: tuple[int, ...]
    counts: tuple[int, ...]

    @property
    def size(self) -> int:
        """Return the number of coefficients of a block."""
        return prod(self.sides)

    @property
    def number(self) -> int:
        """Return the number of blocks of a map."""
        return prod(self.counts)

    @property
    def covered(self) -> tuple[int, ...]:
        """Return the pixels that the blocks cover along each side, also beyond the edge."""
        return tuple(side * count for side, count in zip(self.sides, self.counts, strict=True))


@functools.lru_cache(maxsize=1024)
def blocks_of(pixels: tuple[int, ...]) -> Blocks:
    """Return the blocks of maps of ``pixels`` (1, 2 or 3 sides).

    They cover as few pixels beyond the edge as possible, and are the largest that do.
    """
    shortest, longest = _SIDES[len(pixels)]
    sides, counts = [], []
    for length in pixels:
        allowed = range(min(shortest, length), min(longest, length) + 1)
        side = min(allowed, key=lambda side: (math.ceil(length / side) * side, -side))
        sides.append(side)
        counts.append(math.ceil(length / side))
    return Blocks(tuple(pixels), tuple(sides), tuple(counts))


@cached
def cosines(side: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the orthonormal DCT-II of ``side`` points, one row for each frequency."""
    points = torch.arange(side, dtype=torch.float64)
    angles = (points[:, None] * (2 * points[None, :] + 1)) * (math.pi / (2 * side))
    rows = torch.cos(angles) * math.sqrt(2 / side)
    rows[0] /= math.sqrt(2)
    return rows.to(device=device, dtype=dtype)


def transform(maps: Tensor, blocks: Blocks) -> Tensor:
    """Return the coefficients of ``maps`` (M, *pixels): (M, n₁, s₁, n₂, s₂, …), one pair a side."""
    beyond = [a - b for a, b in zip(blocks.covered, blocks.pixels, strict=True)]
    if any(beyond):
        margins = [n for after in reversed(beyond) for n in (0, after)]
        maps = F.pad(maps[:, None], margins, "replicate")[:, 0]
    return _along_all(maps.contiguous(), blocks, inverse=False)


@whole
def inverse_transform(coefficients: Tensor, blocks: Blocks) -> Tensor:
    """Return the maps (M, *pixels) that have these ``coefficients``."""
    maps = _along_all(coefficients, blocks, inverse=True).view(-1, *blocks.covered)
    for dim, length in enumerate(blocks.pixels, 1):
        maps = maps.narrow(dim, 0, length)
    return maps


def _along_all(values: Tensor, blocks: Blocks, inverse: bool) -> Tensor:
    """Return the transform along all sides, as one product of matrices for each side."""
    count = values.shape[0]
    shape = [n for pair in zip(blocks.counts, blocks.sides, strict=True) for n in pair]
    for axis, side in enumerate(blocks.sides):
        matrix = cosines(side, values.dtype, values.device)
        matrix = matrix.t() if inverse else matrix
        after = prod(blocks.covered[axis + 1 :])
        if after == 1:
            values = values.view(-1, side) @ matrix.t()
        else:
            values = torch.matmul(matrix, values.view(-1, side, after))
    return values.view(count, *shape)


def by_frequency(coefficients: Tensor, blocks: Blocks) -> Tensor:
    """Return a view of (M, n₁, s₁, …) with the sides of blocks first: (s₁, s₂, …, M, n₁, n₂, …)."""
    dimensions = len(blocks.sides)
    return coefficients.permute(
        *range(2, 2 * dimensions + 1, 2), 0, *range(1, 2 * dimensions + 1, 2)
    )


def places(frequencies: Tensor, blocks: Blocks) -> tuple[Tensor, ...]:
    """Return the coordinates in a block of flat ``frequencies`` (int16), one index a side."""
    return _coordinates(blocks.sides, frequencies.device)[:, frequencies.long()].unbind()


@cached
def _coordinates(sides: tuple[int, ...], device: torch.device) -> Tensor:
    """Return the coordinates of all frequencies, (dimensions, frequencies), int64."""
    lines = [torch.arange(side, device=device) for side in sides]
    return torch.stack(torch.meshgrid(*lines, indexing="ij")).flatten(1)


def maps_in_memory(images: Tensor, blocks: Blocks) -> Tensor:
    """Return how ``images`` (n, channels, *pixels) lie in memory and are cut into blocks, int64.

    There are three sides, the first of them a single pixel where maps have fewer: channels, steps
    of image, channel and sides in numbers, then pixels, sides of a block and counts of blocks.
    """
    return _maps_in_memory(images.shape[1], images.stride(), blocks)


@cached
def _maps_in_memory(channels: int, strides: tuple[int, ...], blocks: Blocks) -> Tensor:
    ones = (1,) * (3 - len(blocks.sides))
    of_blocks = (*ones, *blocks.pixels, *ones, *blocks.sides, *ones, *blocks.counts)
    steps = (*strides[:2], *(0 for _ in ones), *strides[2:])
    return torch.tensor((channels, *steps, *of_blocks), dtype=torch.int64, device="cpu")


@cached
def transforms(blocks: Blocks) -> Tensor:
    """Return the transforms of all three sides, float32, flat, each with rows to spare.

    The rows of each are filled up to a multiple of eight with zeros.
    """
    tables = []
    for side in (*(1,) * (3 - len(blocks.sides)), *blocks.sides):
        rows = cosines(side, torch.float32, torch.device("cpu"))
        tables.append(F.pad(rows, (0, 0, 0, -side % 8)).flatten())
    return torch.cat(tables)
