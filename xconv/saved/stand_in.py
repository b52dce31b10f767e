"""A tensor of float32 in a few bits a number, written and read part by part.

Every group is dithered, so that the variance of what is read is known: Δ²/12, the same for all
numbers of a group, and independent from number to number. ``xconv.grouped`` says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

from xconv.grouped import (
    GROUP,
    code_bytes,
    decode,
    dither_variances,
    empty_groups,
    encode,
    fill,
    groups_for,
    room_for,
)

SHARE = 128
"""A part of an input has one number for so many bytes of it: the handful of float32 tensors that
are made of a part then take less than a quarter of the input."""


@dataclass(frozen=True)
class StandIn:
    """What is kept, and how: ``sizes`` are the numbers of each part, whole groups are kept of it.

    Packed numbers are uint8, flat; bounds float32, (groups, 2); the seed a 0-d int64.
    """

    packed: Tensor
    bounds: Tensor
    seed: Tensor
    bits: int
    sizes: Sequence[int]

    @classmethod
    def empty(cls, sizes: Sequence[int], bits: int, seed: Tensor, like: Tensor) -> StandIn:
        """Return one to write to, on the device of ``like``."""
        packed, bounds = empty_groups(_total(sizes), bits, like)
        return cls(packed, bounds, seed, bits, sizes)

    def room(self, part: int) -> tuple[Tensor, Tensor]:
        """Return groups for the numbers of a part, and a flat view of these to write to."""
        return room_for(self.sizes[part], self.bounds)

    def write(self, part: int, values: Tensor) -> None:
        """Keep what ``room`` gave, which is overwritten."""
        groups = self._groups(part)
        fill(values, self.sizes[part])
        codes, self.bounds[groups] = encode(values, self.bits, self.seed, part, dithered=True)
        self.packed[code_bytes(groups, self.bits)] = codes

    def read(self, part: int) -> Tensor:
        """Return the numbers of a part, flat, float32."""
        groups = self._groups(part)
        codes = self.packed[code_bytes(groups, self.bits)]
        numbers = decode(codes, self.bounds[groups], self.bits, self.seed, part)
        return numbers.view(-1)[: self.sizes[part]]

    def variances(self, part: int) -> Tensor:
        """Return the variance of each number that ``read`` returns, float32."""
        of_groups = dither_variances(self.bounds[self._groups(part)], self.bits)
        return of_groups.expand(-1, GROUP).reshape(-1)[: self.sizes[part]]

    def _groups(self, part: int) -> slice:
        ends = [0, *accumulate(map(groups_for, self.sizes))]
        return slice(ends[part], ends[part + 1])


def _total(sizes: Sequence[int]) -> int:
    return sum(map(groups_for, sizes))


def wide(dtype: torch.dtype) -> torch.dtype:
    """Return what is computed in where ``dtype`` is kept: float32 at least."""
    return torch.promote_types(dtype, torch.float32)
