"""Sampling: a share of the pixels, the same ones in all images and channels.

k of N pixels are drawn without replacement, each with probability k/N. x̂ is N/k times the value of
a drawn pixel in its place and zero elsewhere, so that E[x̂] = x.

Source: Oktay et al., "Randomized Automatic Differentiation", ICLR 2021, arXiv 2007.10412, sections
4 and 5. All channels and samples share the sample, as in their memory-saving variant. They draw
with replacement; drawing without has the same memory and mean, and never a larger variance.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from xconv.geometry import pixels
from xconv.layout import Layout
from xconv.random import random_words
from xconv.schemes.rebuilt import Rebuilt, some_images
from xconv.spectrum.allotment import reciprocal, white

if TYPE_CHECKING:
    from xconv.schemes.scheme import Dials
    from xconv.spectrum.plan import BlockPlan, Contribution

_LEAST_SHARE = 1e-3
"""Smallest share of the pixels that a layer gets when a network divides them."""


class Sampling(Rebuilt):
    """The simplest scheme, whose error falls slowly with what is kept.

    >>> layer = XConv2d(3, 8, 3, scheme="sampling", keep=0.1)
    >>> layer(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 8, 30, 30])
    """

    name = "sampling"
    dial = "keep"
    default = 0.1
    allowed = "above 0, up to 1"

    def check(self, value: float) -> None:
        """Raise ValueError unless ``value`` is a share of the pixels: above 0, at most 1."""
        if not 0 < value <= 1:
            raise ValueError(f"keep must be above 0 and at most 1; got {value:g}")

    def describe(self, probing: Dials) -> str:
        """Return a text such as ``sampling, 0.1 of the pixels``."""
        return f"sampling, {self._share(probing):g} of the pixels"

    def kept_bytes(self, layout: Layout, probing: Dials) -> int:
        """Return the bytes of the kept pixels of all images and channels."""
        return prod(layout.shape[:2]) * self._count(layout, probing) * layout.dtype.itemsize

    def divide(self, parts: Sequence[Contribution], mean: float) -> list[float]:
        """Return a share for each layer.

        The noise of a share k has (1 − k)/k times the input's energy.
        """
        variances, costs = [white(part) for part in parts], [part.elements for part in parts]
        return reciprocal(variances, costs, mean, _LEAST_SHARE, [1.0] * len(parts))

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
        """Return the seed and the kept pixels (batch, channels, k), in the dtype of ``input``."""
        return seed, input.flatten(2).index_select(2, self._positions(seed, layout, probing))

    def kept_like(
        self, input: Tensor, layout: Layout, probing: Dials, plan: BlockPlan | None
    ) -> list[Tensor]:
        """Return an empty tensor (batch, channels, k)."""
        return [input.new_empty(*layout.shape[:2], self._count(layout, probing))]

    def factor(self, probing: Dials, layout: Layout) -> float:
        """Return N/k."""
        return pixels(layout.shape) / self._count(layout, probing)

    def rebuild(
        self, kept: Sequence[Tensor], seed: Tensor, probing: Dials, layout: Layout
    ) -> Iterator[tuple[slice, Tensor]]:
        """Yield the kept pixels in their places, among zeros."""
        (sampled,) = kept
        positions = self._positions(seed, layout, probing)
        for images in some_images(layout):
            rebuilt = layout.empty(images).zero_()
            rebuilt.flatten(2).index_copy_(2, positions, sampled[images])
            yield images, rebuilt

    def _positions(self, seed: Tensor, layout: Layout, probing: Dials) -> Tensor:
        """Return the positions of the k smallest of N random numbers."""
        numbers = random_words(seed, 0, pixels(layout.shape), torch.int64, layout.device)
        return numbers.topk(self._count(layout, probing), largest=False).indices

    def _count(self, layout: Layout, probing: Dials) -> int:
        # ``int`` would fix sizes that a compiler has as symbols.
        return torch.sym_max(1, torch.sym_int(pixels(layout.shape) * self._share(probing)))

    def _share(self, probing: Dials) -> float:
        return self.default if probing.keep is None else probing.keep
