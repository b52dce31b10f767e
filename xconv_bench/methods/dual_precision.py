"""Inputs of convolutions in two precisions: low frequencies in 8 bits, the rest in 2.

Source: Wang et al., "DIVISION: Memory Efficient Training via Dual Activation Precision", ICML 2023,
arXiv 2208.04187, figure 5. With A the average over windows of B × B pixels and U the repetition of
each average over its window,

    low = A x,   high = x − U low,   x̂ = U round₈(low) + round₂(high).

Rounding is that of ``xconv.grouped``, a subtractive dither within a range for 256 neighbouring
numbers, where the paper has one range for each channel. Each rounded number has the mean of what
was rounded, so E[x̂] = U A x + x − U A x = x: the weight gradient of a convolution, linear in its
input, is unbiased. Input gradients are exact. An average costs 8/B² bits an element, and ranges a
quarter of a bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from math import ceil, prod
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from xconv.grouped import BITS, groups_for, kept_bytes
from xconv.layout import Layout
from xconv.random import draw_seed
from xconv.saved.stand_in import StandIn, at_a_time, slices
from xconv_bench.configuration import Configuration
from xconv_bench.methods.convolutions import FAMILY_KNOBS, KeepingInputs
from xconv_bench.methods.smaller import NO_SMALLER, Store

LOW_BITS = 8
_AVERAGE: Any = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
_SEED_BYTES = 8


class DualPrecision(KeepingInputs):
    """Windows have ``patch`` pixels a side, and ``bits`` are those of what averages leave."""

    name = "dual-precision"
    knobs = ("bits", "patch", *FAMILY_KNOBS)
    dials: Mapping[str, Any] = {"bits": 2, "patch": 8}

    def takes(self, knobs: Mapping[str, Any]) -> bool:
        """Return whether numbers can be kept in so many bits."""
        return knobs["bits"] is None or knobs["bits"] in BITS

    def store(self, configuration: Configuration) -> Store:
        """Return the store of both parts."""
        assert configuration.bits is not None and configuration.patch is not None
        return LowAndHigh(int(configuration.bits), configuration.patch)


@dataclass(frozen=True)
class LowAndHigh(Store):
    """Averages over windows in 8 bits, and what they leave in ``bits``."""

    bits: int
    window: int

    def why_exact(self, layout: Layout) -> str:
        """Return a reason where both parts together take as much as the numbers."""
        low, high = self._sizes(layout)
        kept = sum(kept_bytes(groups_for(size), LOW_BITS) for size in low)
        kept += sum(kept_bytes(groups_for(size), self.bits) for size in high)
        size = prod(layout.shape) * layout.dtype.itemsize
        return "" if kept + 2 * _SEED_BYTES < size else NO_SMALLER

    def keep(self, tensor: Tensor) -> tuple[Tensor, ...]:
        """Return seed, packed numbers and bounds of the averages, then those of the rest."""
        layout = Layout.of(tensor)
        sizes = self._sizes(layout)
        low, high = (
            StandIn.empty(some, bits, draw_seed(), tensor)
            for some, bits in zip(sizes, (LOW_BITS, self.bits), strict=True)
        )
        for part, images in enumerate(_parts(layout)):
            numbers = tensor[images].float()
            averages = self._averages(numbers)
            rest = numbers - self._repeated(averages, numbers.shape[2:])
            for stand_in, values in ((low, averages), (high, rest)):
                room, target = stand_in.room(part)
                target.view(values.shape).copy_(values)
                stand_in.write(part, room)
        return low.seed, low.packed, low.bounds, high.seed, high.packed, high.bounds

    def restore(self, kept: tuple[Tensor, ...], layout: Layout) -> Tensor:
        """Return x̂, which has the mean x."""
        sizes = self._sizes(layout)
        low, high = (
            StandIn.of(packed, bounds, seed, bits, some)
            for (seed, packed, bounds), bits, some in zip(
                (kept[:3], kept[3:]), (LOW_BITS, self.bits), sizes, strict=True
            )
        )
        restored = layout.empty(slice(None))
        pixels = layout.shape[2:]
        for part, images in enumerate(_parts(layout)):
            some = restored[images]
            averages = low.read(part).view(*some.shape[:2], *self._windows(pixels))
            rest = high.read(part).view(some.shape)
            some.copy_(rest.add_(self._repeated(averages, pixels)))
        return restored

    def _sizes(self, layout: Layout) -> tuple[list[int], list[int]]:
        """Return the number of averages of each part of a batch, and that of its pixels."""
        _, channels, *pixels = layout.shape
        images = [len(range(layout.shape[0])[part]) for part in _parts(layout)]
        windows = prod(self._windows(pixels))
        rows = [channels * count for count in images]
        return [count * windows for count in rows], [count * prod(pixels) for count in rows]

    def _windows(self, pixels: Sequence[int]) -> list[int]:
        """Return the number of windows in each dimension; the last may be smaller."""
        return [ceil(size / self.window) for size in pixels]

    def _averages(self, numbers: Tensor) -> Tensor:
        sides = [min(self.window, size) for size in numbers.shape[2:]]
        averages: Tensor = _AVERAGE[len(sides)](
            numbers, sides, sides, ceil_mode=True, count_include_pad=False
        )
        return averages

    def _repeated(self, averages: Tensor, pixels: Sequence[int]) -> Tensor:
        """Return each average in all pixels of its window."""
        for dim, size, window in zip(range(2, averages.dim()), pixels, repeat(self.window)):
            averages = averages.repeat_interleave(window, dim).narrow(dim, 0, size)
        return averages


def _parts(layout: Layout) -> list[slice]:
    """Return slices of images to process together."""
    batch = layout.shape[0]
    return slices(batch, at_a_time(layout.device) * batch // max(1, prod(layout.shape)))
