"""Randomized automatic differentiation by random projections, for convolutions.

Source: Oktay et al., "Randomized Automatic Differentiation", ICLR 2021, arXiv 2007.10412, sections
4 and 5. Of the N pixels of each channel a fraction is kept, as products with a random matrix of
signs that all channels and samples share. It is what XConv calls independent probes, with a number
of probes that grows with the image; here it is computed as published, by rebuilding the input.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from xconv.layout import Layout
from xconv.random import rademacher
from xconv_bench.configuration import Configuration
from xconv_bench.methods.kept_pixels import KeptPixels, KeptPixelsMethod, kept_pixels
from xconv_bench.methods.stored_inputs import InputStore

_CHUNK_ELEMENTS = 2**22
"""Of the random matrix, at a time: all of it may be larger than the input."""


@dataclass(frozen=True)
class Projection(KeptPixels):
    """``S = X R`` (batch, channels, k), ``x̂ = S Rᵀ / k``; R is N × k of independent signs."""

    def store(self, input: Tensor, seed: Tensor) -> tuple[Tensor, ...]:
        """The projections."""
        images = input.flatten(2)
        layout = Layout.of(input)
        return (torch.cat([images @ signs for _, signs in self._signs(seed, layout)], dim=2),)

    def rebuild(self, stored: tuple[Tensor, ...], seed: Tensor, layout: Layout) -> Tensor:
        """Back to pixels."""
        (projections,) = stored
        rebuilt = layout_zeros(layout).flatten(2)
        for columns, signs in self._signs(seed, layout):
            rebuilt += projections[..., columns] @ signs.mT
        return rebuilt.div_(projections.shape[2]).view(layout.shape)

    def _signs(self, seed: Tensor, layout: Layout) -> Iterator[tuple[slice, Tensor]]:
        """Some columns of R at a time."""
        pixels = prod(layout.shape[2:])
        kept = kept_pixels(pixels, self.keep)
        size = max(1, min(kept, _CHUNK_ELEMENTS // pixels))
        for first in range(0, kept, size):
            columns = slice(first, min(first + size, kept))
            count = columns.stop - first
            signs = rademacher(seed, first, count * pixels, layout.dtype, layout.device)
            yield columns, signs.view(pixels, count)


def layout_zeros(layout: Layout) -> Tensor:
    """An input of zeros."""
    return torch.zeros(layout.shape, dtype=layout.dtype, device=layout.device)


class RadProjection(KeptPixelsMethod):
    """``Projection`` of the inputs of convolutions."""

    name = "rad-projection"

    def input_store(self, configuration: Configuration) -> InputStore:
        """Projections on as many directions as ``keep`` says."""
        return Projection(configuration.keep or 1.0)
