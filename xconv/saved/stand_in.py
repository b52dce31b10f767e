"""A float32 tensor in a few bits per number, written and read part by part.

Every group is dithered, so that the variance of each number is known: Δ²/12, the same for all
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
    dither_variances,
    empty_groups,
    fill,
    groups_for,
    room_for,
)
from xconv.kernels import choice
from xconv.rounded import keep_groups, restored_numbers
from xconv.wholes import Shapeless

_AT_A_TIME = {"cpu": 2**18}
_AT_A_TIME_ELSEWHERE = 2**22
"""Numbers to process together: few enough for temporary tensors to be small."""


@dataclass(frozen=True)
class StandIn:
    """A kept tensor: packed numbers (uint8, flat), bounds (groups, 2), float32, and a seed.

    The seed is a 0-d int64, claimed by kernels or not. ``ends`` are the groups at which parts begin
    and end, ``sizes`` the numbers of each part.
    """

    packed: Tensor
    bounds: Tensor
    seed: Tensor
    bits: int
    sizes: Sequence[int]
    ends: Sequence[int]

    @classmethod
    def of(
        cls, packed: Tensor, bounds: Tensor, seed: Tensor, bits: int, sizes: Sequence[int]
    ) -> StandIn:
        """Return a stand-in that was written before, in parts of these ``sizes``."""
        ends = [0, *accumulate(map(groups_for, sizes))]
        return cls(packed, bounds, seed, bits, sizes, ends)

    @classmethod
    def empty(cls, sizes: Sequence[int], bits: int, seed: Tensor, like: Tensor) -> StandIn:
        """Return a stand-in to write to, on the device of ``like``."""
        packed, bounds = empty_groups(sum(map(groups_for, sizes)), bits, like)
        return cls.of(packed, bounds, choice.claimed(seed, like), bits, sizes)

    def room(self, part: int) -> tuple[Tensor, Tensor]:
        """Return groups for the numbers of a part, and a flat view of them to write to."""
        return room_for(self.sizes[part], self.bounds)

    def write(self, part: int, values: Tensor) -> None:
        """Keep the groups that ``room`` returned, which are overwritten."""
        groups = self._groups(part)
        fill(values, self.sizes[part])
        keep_groups(
            values, self.packed[code_bytes(groups, self.bits)], self.bounds[groups], self.bits,
            self.seed, Shapeless(part), Shapeless(groups.start), True,
        )  # fmt: skip

    def read(self, part: int) -> Tensor:
        """Return the numbers of a part, flat, float32."""
        groups = self._groups(part)
        codes = self.packed[code_bytes(groups, self.bits)]
        numbers = restored_numbers(
            codes, self.bounds[groups], self.bits, self.seed, Shapeless(part),
            Shapeless(groups.start), 1.0,
        )  # fmt: skip
        return numbers[: self.sizes[part]]

    def variances(self, part: int) -> Tensor:
        """Return the variance of each number that ``read`` returns, float32."""
        of_groups = dither_variances(self.bounds[self._groups(part)], self.bits)
        return of_groups.repeat(1, GROUP).view(-1)[: self.sizes[part]]

    def _groups(self, part: int) -> slice:
        return slice(self.ends[part], self.ends[part + 1])


def at_a_time(device: torch.device) -> int:
    """Return the largest number of elements that a part should have."""
    return _AT_A_TIME.get(device.type, _AT_A_TIME_ELSEWHERE)


def slices(length: int, size: int) -> list[slice]:
    """Return slices that divide ``length`` things, ``size`` at a time, or one."""
    size = max(1, size)
    return [slice(start, min(start + size, length)) for start in range(0, length, size)]


def wide(dtype: torch.dtype) -> torch.dtype:
    """Return the dtype in which numbers of ``dtype`` are computed: float32 at least."""
    return torch.promote_types(dtype, torch.float32)
