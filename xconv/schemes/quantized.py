"""Quantized: a few bits for each number, with one range for each group of neighbours.

``xconv.grouped`` says how a group is rounded and why x̂ has the mean x. Each group uses either
subtractive dither or stochastic rounding, whichever has less variance for its numbers.

Source of the idea: ActNN (Chen et al., "ActNN: Reducing Training Memory Footprint via 2-Bit
Activation Compressed Training", ICML 2021, arXiv 2104.14129), which rounds stochastically.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from xconv.amounts import bits_an_element
from xconv.grouped import (
    BITS,
    GROUP,
    code_bytes,
    empty_groups,
    groups_for,
    kept_bytes,
)
from xconv.kernels import choice
from xconv.layout import Layout, in_memory_order
from xconv.rounded import keep_numbers, restored_groups
from xconv.schemes.rebuilt import Rebuilt, some_images
from xconv.spectrum.allotment import in_steps, white
from xconv.wholes import Shapeless, Stretch, whole

if TYPE_CHECKING:
    from xconv.schemes.scheme import Dials
    from xconv.spectrum.plan import BlockPlan, Contribution

AT_A_TIME = {"cpu": 2**18}
AT_A_TIME_ELSEWHERE = 2**22
"""Numbers to process together: few enough for temporary tensors to be small."""


class Quantized(Rebuilt):
    """Rounding of every element: works for any spectrum, needs at least one bit per element.

    >>> layer = XConv2d(3, 8, 3, scheme="quantized", bits=2)
    >>> layer(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 8, 30, 30])
    """

    name = "quantized"
    dial = "bits"
    default = 2
    allowed = "1, 2, 4 or 8"
    dithered: bool | None = None
    """The rounding of groups, as ``encode`` takes it."""

    def check(self, value: float) -> None:
        """Raise ValueError unless ``value`` is one of ``BITS``."""
        if value not in BITS:
            allowed = ", ".join(map(str, BITS))
            raise ValueError(f"bits of quantized must be one of {allowed}; got {value:g}")

    def describe(self, probing: Dials) -> str:
        """Return a text such as ``quantized, 2 bits an element``."""
        return f"quantized, {bits_an_element(_bits(probing))}"

    def kept_bytes(self, layout: Layout, probing: Dials) -> int:
        """Return the bytes of whole groups: packed numbers and two bounds for each group."""
        return kept_bytes(_groups(layout), _bits(probing))

    def divide(self, parts: Sequence[Contribution], mean: float) -> list[float]:
        """Return one of ``BITS`` for each layer; the noise follows from the distance of levels."""
        noises = [1 / (2**bits - 1) ** 2 for bits in BITS]
        costs = [part.elements for part in parts]
        return in_steps([white(part) for part in parts], costs, mean, BITS, noises)

    def keep(
        self,
        input: Tensor,
        seed: Tensor,
        probing: Dials,
        layout: Layout,
        weight: torch.Size,
        output: torch.Size,
        plan: BlockPlan | None,
    ) -> tuple[Tensor, ...]:
        """Return the seed, packed numbers (uint8, flat) and bounds (groups, 2), float32.

        Groups follow each other in memory order, and some are processed at a time.
        """
        bits, seed = _bits(probing), choice.claimed(seed, input)
        packed, bounds = self.kept_like(input, layout, probing, plan)
        flat = in_memory_order(input, layout.channels_last).view(-1)
        for stream, groups in enumerate(_parts(layout)):
            first, size = groups.start * GROUP, (groups.stop - groups.start) * GROUP
            keep_numbers(
                flat, Stretch(first, min(size, len(flat) - first)), packed,
                Stretch.of(code_bytes(groups, bits)), bounds, Stretch.of(groups), bits, seed,
                Shapeless(stream), self.dithered,
            )  # fmt: skip
        return seed, packed, bounds

    def kept_like(
        self, input: Tensor, layout: Layout, probing: Dials, plan: BlockPlan | None
    ) -> list[Tensor]:
        """Return empty tensors for packed numbers and bounds."""
        return [*empty_groups(_groups(layout), _bits(probing), input)]

    def factor(self, probing: Dials, layout: Layout) -> float:
        """Return 2 for float16, where a dither reaches half a step beyond the bounds, else 1."""
        return 2.0 if layout.dtype == torch.float16 else 1.0

    def rebuild(
        self, kept: Sequence[Tensor], seed: Tensor, probing: Dials, layout: Layout
    ) -> Iterator[tuple[slice, Tensor]]:
        """Yield the numbers within their ranges, in the dtype of ``layout``."""
        numbers = self._numbers(kept, seed, probing, layout)
        some, begin = next(numbers), 0
        for images in some_images(layout):
            rebuilt, filled = layout.empty(images), 0
            while filled < rebuilt.numel():
                if begin == len(some):
                    some, begin = next(numbers), 0
                count = min(len(some) - begin, rebuilt.numel() - filled)
                where = Shapeless(filled), Shapeless(begin), Shapeless(count)
                _copy(rebuilt, layout.channels_last, some, *where)
                filled, begin = filled + count, begin + count
            yield images, rebuilt

    def _numbers(
        self, kept: Sequence[Tensor], seed: Tensor, probing: Dials, layout: Layout
    ) -> Iterator[Tensor]:
        """Yield x̂ over ``factor`` in memory order, flat, float32, whole groups at a time."""
        packed, bounds = kept
        bits, scale = _bits(probing), 1 / self.factor(probing, layout)
        for stream, groups in enumerate(_parts(layout)):
            codes = Stretch.of(code_bytes(groups, bits))
            yield restored_groups(
                packed, codes, bounds, Stretch.of(groups), bits, seed, Shapeless(stream), scale
            )


@whole
def _copy(
    target: Tensor,
    channels_last: bool,
    source: Tensor,
    to: Shapeless,
    start: Shapeless,
    count: Shapeless,
) -> None:
    """Write ``count`` numbers of ``source`` to ``target`` in its memory order."""
    flat = in_memory_order(target, channels_last).view(-1)
    flat.narrow(0, to.value, count.value).copy_(source.narrow(0, start.value, count.value))


def _bits(probing: Dials) -> int:
    return int(probing.bits or Quantized.default)


def _groups(layout: Layout) -> int:
    return groups_for(prod(layout.shape))


def _parts(layout: Layout) -> Iterator[slice]:
    """Yield slices of groups to process together."""
    size = max(1, AT_A_TIME.get(layout.device.type, AT_A_TIME_ELSEWHERE) // GROUP)
    groups = _groups(layout)
    return (slice(start, min(start + size, groups)) for start in range(0, groups, size))
