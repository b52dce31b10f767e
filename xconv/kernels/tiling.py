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
_LEAST_WARPS = 4
"""Warps that share a matrix unit's work."""


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
        """Pixels of a block, lines and all up to a power of two."""
        return _length(self.blocks.sides)

    def shape(self, program: Program) -> tuple[int, int, int]:
        """Return the rows and pixels that programs have at a time, and the warps for these."""
        rows = min(program.rows, max(_LEAST, triton.next_power_of_2(self.kept)))
        pixels = min(program.pixels, self.length)
        warps = program.warps * rows * pixels // (program.rows * program.pixels)
        return rows, pixels, max(_LEAST_WARPS, warps)

    @property
    def ends(self) -> tuple[int, ...]:
        """Where the frequencies of 1, 2, 3, 4 and 8 bits end."""
        return tuple(accumulate(self.counts[:-1]))

    @property
    def lengths(self) -> tuple[int, int, int, int]:
        """Channels, and pixels of a map along three sides."""
        return self.layout.shape[1], *_three(self.blocks.pixels)

    @property
    def cut(self) -> tuple[int | bool, ...]:
        """What ``tiles.places`` is compiled for."""
        sides, counts = _three(self.blocks.sides), _three(self.blocks.counts)
        is_last = self.layout.channels_last
        is_full = is_last and self.layout.shape[1] % GROUP == 0
        reaches_over = self.blocks.covered != self.blocks.pixels
        width = triton.next_power_of_2(sides[2])
        return *sides, self.blocks.number, *counts[1:], width, is_last, is_full, reaches_over

    def basis(self, device: torch.device, precision: str) -> Tensor:
        """Return the basis images of a block, a row each, filled up with zeros: float32, for
        products in TF32 such as float16 holds."""
        return _basis(self.blocks.sides, self.length, device, precision == "tf32")

    def half_basis(self, device: torch.device) -> Tensor:
        """Return the basis images in float16."""
        return _half_basis(self.blocks.sides, self.length, device)


@cached
def _basis(sides: tuple[int, ...], length: int, device: torch.device, is_half: bool) -> Tensor:
    images = torch.ones(1, 1, dtype=torch.float64)
    for side in sides:
        images = torch.kron(images, cosines(side, torch.float64, torch.device("cpu")))
    lines = prod(sides[:-1])
    rows = torch.zeros(prod(sides), length)
    width = triton.next_power_of_2(sides[-1])
    target = rows[:, : lines * width].view(-1, lines, width)[..., : sides[-1]]
    target.copy_((images.half() if is_half else images).view_as(target))
    return rows.to(device)


@cached
def _half_basis(sides: tuple[int, ...], length: int, device: torch.device) -> Tensor:
    return _basis(sides, length, device, True).half()


def _length(sides: tuple[int, ...]) -> int:
    pixels = prod(sides[:-1]) * triton.next_power_of_2(sides[-1])
    return max(_LEAST, triton.next_power_of_2(pixels))


def _three(sides: tuple[int, ...]) -> tuple[int, int, int]:
    one, two, three = (1,) * (3 - len(sides)) + sides
    return one, two, three
