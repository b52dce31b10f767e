"""Arguments of kernels that describe an input and how its coefficients are kept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate
from math import ceil, prod
from typing import NamedTuple

import torch
from torch import Tensor

from xconv.cached import cached
from xconv.layout import Layout
from xconv.spectrum.blocks import Blocks, blocks_of, cosines
from xconv.spectrum.plan import BITS
from xconv.spectrum.rounding import GROUP, SCALE_BITS

_SCALE_BYTES = 4
"""Bytes of the largest scale."""
_LEAST = 16
"""Shortest side of the operands of a matrix unit."""
_LEAST_WARPS = 4
"""Number of warps that share the work of a matrix unit."""


class Program(NamedTuple):
    """The size of one program of a kernel.

    It processes at most ``rows`` and ``pixels`` at a time, in ``warps`` warps, with loads ahead for
    ``stages`` stages.
    """

    rows: int
    pixels: int
    warps: int
    stages: int


@dataclass(frozen=True)
class Tiling:
    """The arguments that kernels share, for one input and one plan; each is computed once."""

    layout: Layout
    blocks: Blocks
    counts: tuple[int, ...]

    @classmethod
    def of(cls, layout: Layout, counts: tuple[int, ...]) -> Tiling:
        """Return the tiling of an input of ``layout``."""
        return cls(layout, blocks_of(tuple(int(n) for n in layout.shape[2:])), counts)

    @cached_property
    def kept(self) -> int:
        """Return the number of kept frequencies."""
        return sum(self.counts)

    @cached_property
    def columns(self) -> int:
        """Return the number of blocks of all channels and images."""
        return self.layout.shape[0] * self.layout.shape[1] * self.blocks.number

    @cached_property
    def groups(self) -> int:
        """Return the number of groups of a frequency."""
        return ceil(self.columns / GROUP)

    @cached_property
    def code_bytes(self) -> int:
        """Return the bytes of all codes; the scales follow them."""
        bits = zip(self.counts, BITS, strict=True)
        return self.groups * GROUP // 8 * sum(count * each for count, each in bits)

    @cached_property
    def narrow(self) -> int:
        """Return the number of scales of 8 bits; scales of 16 bits follow them."""
        wide = (
            count for count, bits in zip(self.counts, BITS, strict=True) if SCALE_BITS[bits] == 16
        )
        return self.groups * (self.kept - sum(wide))

    @cached_property
    def bytes(self) -> int:
        """Return the bytes of codes, scales and the largest scale."""
        return self.code_bytes + 2 * self.kept * self.groups - self.narrow + _SCALE_BYTES

    @cached_property
    def length(self) -> int:
        """Return the pixels of a block, with lines and whole rounded up to powers of two."""
        return _length(self.blocks.sides)

    @cached_property
    def _shapes(self) -> dict[Program, tuple[int, int, int]]:
        return {}

    @cached_property
    def _bases(self) -> dict[tuple[str, torch.dtype], Tensor]:
        return {}

    def shape(self, program: Program) -> tuple[int, int, int]:
        """Return the rows and pixels that a program handles at a time, and its warps."""
        if program not in self._shapes:
            self._shapes[program] = self._shape(program)
        return self._shapes[program]

    def _shape(self, program: Program) -> tuple[int, int, int]:
        rows = min(program.rows, max(_LEAST, _power(self.kept)))
        pixels = min(program.pixels, self.length)
        warps = program.warps * rows * pixels // (program.rows * program.pixels)
        return rows, pixels, max(_LEAST_WARPS, warps)

    @cached_property
    def ends(self) -> tuple[int, ...]:
        """Return the ends of the frequencies of 1, 2, 3, 4 and 8 bits."""
        return tuple(accumulate(self.counts[:-1]))

    @cached_property
    def lengths(self) -> tuple[int, int, int, int]:
        """Return the channels, and the pixels of a map along three sides."""
        return self.layout.shape[1], *_three(self.blocks.pixels)

    @cached_property
    def cut(self) -> tuple[int | bool, ...]:
        """Return the compile-time arguments of ``tiles.places``."""
        sides, counts = _three(self.blocks.sides), _three(self.blocks.counts)
        is_last = self.layout.channels_last
        is_full = is_last and self.layout.shape[1] % GROUP == 0
        reaches_over = self.blocks.covered != self.blocks.pixels
        width = _power(sides[2])
        return *sides, self.blocks.number, *counts[1:], width, is_last, is_full, reaches_over

    def basis(self, precision: str, dtype: torch.dtype = torch.float32) -> Tensor:
        """Return the basis images of a block, a row each, filled up with zeros.

        For products in TF32 they are rounded to numbers that float16 holds, in float32 or float16.
        """
        known = self._bases.get((precision, dtype))
        if known is None:
            ways = self.blocks.sides, self.length, self.layout.device, precision == "tf32", dtype
            known = self._bases[precision, dtype] = _basis(*ways)
        return known


@cached
def _basis(
    sides: tuple[int, ...], length: int, device: torch.device, is_half: bool, dtype: torch.dtype
) -> Tensor:
    images = torch.ones(1, 1, dtype=torch.float64)
    for side in sides:
        images = torch.kron(images, cosines(side, torch.float64, torch.device("cpu")))
    lines = prod(sides[:-1])
    rows = torch.zeros(prod(sides), length)
    width = _power(sides[-1])
    target = rows[:, : lines * width].view(-1, lines, width)[..., : sides[-1]]
    target.copy_((images.half() if is_half else images).view_as(target))
    return rows.to(device, dtype)


@lru_cache(maxsize=1024)
def known_tiling(layout: Layout, counts: tuple[int, ...]) -> Tiling:
    """Return ``Tiling.of``, the same object for the same input and plan."""
    return Tiling.of(layout, counts)


def _length(sides: tuple[int, ...]) -> int:
    pixels = prod(sides[:-1]) * _power(sides[-1])
    return max(_LEAST, _power(pixels))


def _power(count: int) -> int:
    """Return the next power of two; Triton's own function is slow."""
    return 1 << (count - 1).bit_length()


def _three(sides: tuple[int, ...]) -> tuple[int, int, int]:
    one, two, three = (1,) * (3 - len(sides)) + sides
    return one, two, three
