"""Randomized automatic differentiation by sampling pixels, for convolutions.

Source: Oktay et al., "Randomized Automatic Differentiation", ICLR 2021, arXiv 2007.10412, sections
4 and 5. All channels and samples share the sample, as in their memory-saving variant. It is drawn
without replacement here, theirs with: the same memory and mean, and never a larger variance.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from xconv.layout import Layout
from xconv.random import random_words
from xconv_bench.configuration import Configuration
from xconv_bench.methods.kept_pixels import KeptPixels, KeptPixelsMethod, kept_pixels
from xconv_bench.methods.stored_inputs import InputStore


@dataclass(frozen=True)
class Sampling(KeptPixels):
    """k of N pixels, each with probability k/N; ``x̂`` is N/k times the pixel, or zero."""

    def store(self, input: Tensor, seed: Tensor) -> tuple[Tensor, ...]:
        """The sampled pixels."""
        return (input.flatten(2).index_select(2, self._positions(seed, Layout.of(input))),)

    def rebuild(self, stored: tuple[Tensor, ...], seed: Tensor, layout: Layout) -> Tensor:
        """Back to their places."""
        (sampled,) = stored
        pixels, kept = prod(layout.shape[2:]), sampled.shape[2]
        rebuilt = sampled.new_zeros((*layout.shape[:2], pixels))
        positions = self._positions(seed, layout)
        return rebuilt.index_copy_(2, positions, sampled * (pixels / kept)).view(layout.shape)

    def _positions(self, seed: Tensor, layout: Layout) -> Tensor:
        """Those of the smallest of N random numbers."""
        pixels = prod(layout.shape[2:])
        numbers = random_words(seed, 0, pixels, torch.int64, layout.device)
        return numbers.argsort()[: kept_pixels(pixels, self.keep)]


class RadSampling(KeptPixelsMethod):
    """``Sampling`` of the inputs of convolutions."""

    name = "rad-sampling"

    def input_store(self, configuration: Configuration) -> InputStore:
        """As many pixels as ``keep`` says."""
        return Sampling(configuration.keep or 1.0)
