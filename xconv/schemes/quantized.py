r"""Quantized: a few bits for each number, with a range for each group of neighbours.

A group has bounds ``low`` and ``high``; with b bits its levels lie ``Δ = (high − low) / (2^b − 1)``
apart. A number is kept as the whole number ``q = ⌊(x − low)/Δ + r⌋``, r uniform in [0, 1), and
given back in one of two ways, whichever has less variance over the group:

    x̂ = low + q Δ              stochastic rounding,  variance f (1 − f) Δ², f = (x − low)/Δ mod 1
    x̂ = low + (q − r + ½) Δ    subtractive dither,   variance Δ²/12, r drawn again from the seed

Both have the mean x. The first as q is the larger of the two levels around x with probability f;
the second as (x − low)/Δ + r − q is uniform in [0, 1), whatever x is. The second has the least
variance but where many numbers lie on a level, as the zeros behind a ReLU do. Which way a group
goes follows from its numbers alone, never from r, so that the mean stays x; the order in which the
bounds are kept tells.

The idea of ActNN (Chen et al., "ActNN: Reducing Training Memory Footprint via 2-Bit Activation
Compressed Training", ICML 2021, arXiv 2104.14129), which rounds stochastically.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from xconv.layout import Layout, in_memory_order
from xconv.random import random_words
from xconv.schemes.rebuilt import Rebuilt, some_images
from xconv.spectrum.allotment import in_steps, white
from xconv.spectrum.packing import pack_codes, unpack_codes

if TYPE_CHECKING:
    from xconv.probing import Probing
    from xconv.spectrum.plan import Part, Plan

BITS = (1, 2, 4, 8)
GROUP = 256
"""Neighbouring numbers that share a range, as in ActNN."""

AT_A_TIME = {"cpu": 2**18}
AT_A_TIME_ELSEWHERE = 2**22
"""Numbers to work on together: few enough for what is computed of them to be small."""

_RANGE_BYTES = 8
_FRACTION_BITS = 24
"""Of the random numbers in [0, 1): as many as float32 holds."""


class Quantized(Rebuilt):
    """The same for every input, whatever its spectrum; never below one bit an element."""

    name = "quantized"
    dial = "bits"
    default = 2

    def check(self, value: float) -> None:
        """Raise ValueError unless it is one of ``BITS``."""
        if value not in BITS:
            allowed = ", ".join(map(str, BITS))
            raise ValueError(f"bits of quantized must be one of {allowed}; got {value:g}")

    def describe(self, probing: Probing) -> str:
        """Return ``quantized, 2 bits an element``."""
        bits = _bits(probing)
        return f"quantized, {bits} bit{'s' * (bits != 1)} an element"

    def kept_bytes(self, layout: Layout, probing: Probing) -> int:
        """Return the bytes of whole groups: the numbers, and two bounds each."""
        return _groups(layout) * (GROUP * _bits(probing) // 8 + _RANGE_BYTES)

    def divide(self, parts: Sequence[Part], mean: float) -> list[float]:
        """Return one of ``BITS`` for each layer: the noise is that of levels so far apart."""
        noises = [1 / (2**bits - 1) ** 2 for bits in BITS]
        costs = [part.elements for part in parts]
        return in_steps([white(part) for part in parts], costs, mean, BITS, noises)

    def keep(
        self,
        input: Tensor,
        seed: Tensor,
        probing: Probing,
        layout: Layout,
        weight: torch.Size,
        output: torch.Size,
        plan: Plan | None,
    ) -> tuple[Tensor, ...]:
        """Return the seed, packed numbers (uint8, flat) and bounds (groups, 2), float32.

        Groups follow each other as the numbers lie in memory, some are worked on at a time.
        """
        bits = _bits(probing)
        packed, bounds = self.kept_like(input, layout, probing, plan)
        flat = in_memory_order(input, layout.channels_last).view(-1)
        for stream, groups in enumerate(_parts(layout)):
            values = _filled(flat[groups.start * GROUP : groups.stop * GROUP])
            low, high = values.aminmax(dim=1, keepdim=True)
            spans = (high - low).clamp_(min=torch.finfo(torch.float32).tiny)
            levels = values.sub_(low).div_(spans).mul_(2**bits - 1)
            is_dithered = _is_dithered(levels)
            bounds[groups, :1] = torch.where(is_dithered, high, low)
            bounds[groups, 1:] = torch.where(is_dithered, low, high)
            codes = levels.add_(_chances(seed, stream, levels)).floor_().clamp_(0, 2**bits - 1)
            packed[_bytes(groups, bits)] = pack_codes(codes.to(torch.uint8).view(-1), bits)
        return seed, packed, bounds

    def kept_like(
        self, input: Tensor, layout: Layout, probing: Probing, plan: Plan | None
    ) -> list[Tensor]:
        """Return empty tensors for numbers and bounds."""
        groups = _groups(layout)
        packed = input.new_empty(groups * GROUP * _bits(probing) // 8, dtype=torch.uint8)
        return [packed, input.new_empty(groups, 2, dtype=torch.float32)]

    def factor(self, probing: Probing, layout: Layout) -> float:
        """Return 2 for float16: a dither reaches up to half a step beyond the bounds."""
        return 2.0 if layout.dtype == torch.float16 else 1.0

    def rebuild(
        self, kept: Sequence[Tensor], seed: Tensor, probing: Probing, layout: Layout
    ) -> Iterator[tuple[slice, Tensor]]:
        """Return the numbers within their ranges, in the dtype of ``layout``."""
        numbers = self._numbers(kept, seed, probing, layout)
        rest = next(numbers)
        for images in some_images(layout):
            rebuilt = layout.empty(images)
            missing = in_memory_order(rebuilt, layout.channels_last).view(-1)
            while len(missing):
                if not len(rest):
                    rest = next(numbers)
                count = min(len(rest), len(missing))
                missing[:count] = rest[:count]
                missing, rest = missing[count:], rest[count:]
            yield images, rebuilt

    def _numbers(
        self, kept: Sequence[Tensor], seed: Tensor, probing: Probing, layout: Layout
    ) -> Iterator[Tensor]:
        """x̂ over ``factor`` as it lies in memory, flat, float32, whole groups at a time."""
        packed, bounds = kept
        bits, scale = _bits(probing), 1 / self.factor(probing, layout)
        for stream, groups in enumerate(_parts(layout)):
            levels = unpack_codes(packed[_bytes(groups, bits)], bits).view(-1, GROUP).float()
            first, second = bounds[groups, :1], bounds[groups, 1:]
            shift = _chances(seed, stream, levels).sub_(0.5).mul_(first > second)
            step = (second - first).abs_().mul_(scale / (2**bits - 1))
            low = torch.minimum(first, second).mul_(scale)
            yield levels.sub_(shift).mul_(step).add_(low).view(-1)


def _bits(probing: Probing) -> int:
    return int(probing.bits or Quantized.default)


def _groups(layout: Layout) -> int:
    return -(-prod(layout.shape) // GROUP)


def _bytes(groups: slice, bits: int) -> slice:
    """Where the packed numbers of ``groups`` lie."""
    return slice(groups.start * GROUP * bits // 8, groups.stop * GROUP * bits // 8)


def _parts(layout: Layout) -> Iterator[slice]:
    """Some groups at a time."""
    size = max(1, AT_A_TIME.get(layout.device.type, AT_A_TIME_ELSEWHERE) // GROUP)
    groups = _groups(layout)
    return (slice(start, min(start + size, groups)) for start in range(0, groups, size))


def _filled(numbers: Tensor) -> Tensor:
    """Flat ``numbers`` as groups, float32, in memory of their own; the last one fills the last."""
    values = numbers.new_empty(-(-len(numbers) // GROUP), GROUP, dtype=torch.float32)
    values.view(-1)[: len(numbers)] = numbers
    values.view(-1)[len(numbers) :] = numbers[-1]
    return values


def _is_dithered(levels: Tensor) -> Tensor:
    """Whether a dither has less variance than stochastic rounding, of each group, (groups, 1)."""
    fractions = levels.frac()
    energies = fractions.square().sum(1, keepdim=True)
    return fractions.sum(1, keepdim=True) - energies > GROUP / 12


def _chances(seed: Tensor, stream: int, like: Tensor) -> Tensor:
    """r for the numbers of one part, uniform in [0, 1)."""
    words = random_words(seed, stream, like.numel(), torch.int32, like.device)
    return words.bitwise_and_(2**_FRACTION_BITS - 1).view_as(like).mul(2.0**-_FRACTION_BITS)
