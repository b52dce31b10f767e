"""What kernels are told of the shape of an input and of how its coefficients are kept."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from math import ceil, prod
from typing import NamedTuple

import torch
import triton
from torch import Tensor

from xconv.layout import Layout
from xconv.spectrum.blocks import Blocks, cosines
from xconv.spectrum.cached import cached
from xconv.spectrum.plan import BITS
from xconv.spectrum.rounding import GROUP, SCALE_BITS

_SCALE_BYTES = 4
"""Of the largest scale."""
_LEAST = 16
"""The shortest side of what a matrix unit takes."""


class Program(NamedTuple):
    """How much one program of a kernel has: at most so many ``rows`` and ``pixels`` at a time, in
    so many ``warps``, with loads ahead for so many ``stages``."""

    rows: int
    pixels: int
    warps: int
    stages: int


@dataclass(frozen=True)
class Tiling:
    """The arguments that kernels share, for one input and one plan."""

    layout: Layout
    blocks: Blocks
    counts: tuple[int, ...]

    @property
    def kept(self) -> int:
        """Frequencies kept."""
        return sum(self.counts)

    @property
    def columns(self) -> int:
        """Blocks of all channels and images."""
        return self.layout.shape[0] * self.layout.shape[1] * self.blocks.number

    @property
    def groups(self) -> int:
        """Groups of a frequency."""
        return ceil(self.columns / GROUP)

    @property
    def code_bytes(self) -> int:
        """Bytes of all codes; those of the scales follow."""
        bits = zip(self.counts, BITS, strict=True)
        return self.groups * GROUP // 8 * sum(count * each for count, each in bits)

    @property
    def narrow(self) -> int:
        """Scales of 8 bits; those of 16 follow."""
        wide = (
            count for count, bits in zip(self.counts, BITS, strict=True) if SCALE_BITS[bits] == 16
        )
        return self.groups * (self.kept - sum(wide))

    @property
    def bytes(self) -> int:
        """Bytes of codes, scales and the largest scale."""
        return self.code_bytes + 2 * self.kept * self.groups - self.narrow + _SCALE_BYTES

    @property
    def length(self) -> int:
        """Pixels of a block, up to a power of two."""
        return max(_LEAST, triton.next_power_of_2(self.blocks.size))

    def shape(self, program: Program) -> tuple[int, int]:
        """Return the rows and pixels that programs have at a time."""
        rows = max(_LEAST, triton.next_power_of_2(self.kept))
        return min(program.rows, rows), min(program.pixels, self.length)

    @property
    def ends(self) -> tuple[int, ...]:
        """Where the frequencies of 1, 2, 3, 4 and 8 bits end."""
        return tuple(accumulate(self.counts[:-1]))

    @property
    def cut(self) -> tuple[int, ...]:
        """Channels, blocks of a map, and blocks along the last two sides."""
        counts = _three(self.blocks.counts)
        return self.layout.shape[1], self.blocks.number, *counts[1:]

    @property
    def sides(self) -> tuple[int, int, int]:
        """Pixels of a block along three sides."""
        return _three(self.blocks.sides)

    def strides(self, tensor: Tensor) -> tuple[int, ...]:
        """Return strides of images, channels and three sides of ``tensor``, then its sides."""
        spatial = tensor.stride()[2:]
        missing = (0,) * (3 - len(spatial))
        return *tensor.stride()[:2], *missing, *spatial, *_three(tuple(tensor.shape[2:]))

    def basis(self, device: torch.device) -> Tensor:
        """Return the basis images of a block, a row each, filled up with zeros."""
        return _basis(self.blocks.sides, self.length, device)


@cached
def _basis(sides: tuple[int, ...], length: int, device: torch.device) -> Tensor:
    images = torch.ones(1, 1, dtype=torch.float64)
    for side in sides:
        images = torch.kron(images, cosines(side, torch.float64, torch.device("cpu")))
    rows = torch.zeros(prod(sides), length)
    rows[:, : prod(sides)] = images
    return rows.to(device)


def _three(sides: tuple[int, ...]) -> tuple[int, int, int]:
    one, two, three = (1,) * (3 - len(sides)) + sides
    return one, two, three
