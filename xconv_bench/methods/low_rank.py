"""Inputs of convolutions projected onto few directions in each of their dimensions.

Source: Nguyen et al., "Activation Map Compression through Tensor Decomposition for Deep Learning",
NeurIPS 2024, arXiv 2411.06346: the higher-order singular value decomposition of the
input x (batch, channels, *pixels), truncated,

    x̂ = S ×₁ U₁ ×₂ U₂ … ×ₙ Uₙ,   S = x ×₁ U₁ᵀ ×₂ U₂ᵀ … ×ₙ Uₙᵀ,

with U_d the leading left singular vectors of x unfolded along dimension d. The core S and the
factors U_d are kept. Ranks are fixed beforehand, as in "Beyond Low-rank Decomposition: A Shortcut
Approach for Efficient On-Device Learning" (Nguyen et al., ICML 2025, arXiv 2505.05086), so that
bytes depend on shapes alone: the fraction ``rank`` of each dimension, where the first paper takes
as many as hold a share of the energy, and the second what a search finds beforehand. Factors are
computed anew in each step, one dimension after the other from the core so far (the sequentially
truncated form, whose error has the same bound), by the eigenvectors of an unfolding times its
transpose; the second paper goes on from those of the step before by one iteration.

It is *biased*: x̂ is a projection of x, the same in every repetition, and what lies outside of the
subspaces is lost for good. Input gradients are exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor

from xconv.layout import Layout
from xconv.saved.stand_in import wide
from xconv_bench.configuration import Configuration
from xconv_bench.methods.convolutions import FAMILY_KNOBS, KeepingInputs
from xconv_bench.methods.smaller import NO_SMALLER, Store


class LowRank(KeepingInputs):
    """Projects the input of each convolution onto the fraction ``rank`` of every dimension."""

    name = "low-rank"
    knobs = ("rank", *FAMILY_KNOBS)
    dials: Mapping[str, Any] = {"rank": 0.5}
    bias = "biased: what lies outside of the kept directions is lost"

    def store(self, configuration: Configuration) -> Store:
        """Return the store of core and factors."""
        assert configuration.rank is not None
        return CoreAndFactors(configuration.rank)


@dataclass(frozen=True)
class CoreAndFactors(Store):
    """The truncated decomposition, in the dtype of the input."""

    fraction: float

    def why_exact(self, layout: Layout) -> str:
        """Return a reason where core and factors have as many numbers as the input."""
        shape = layout.shape
        ranks = self._ranks(shape)
        factors = sum(size * rank for size, rank in zip(shape, ranks, strict=True) if rank < size)
        return "" if prod(ranks) + factors < prod(shape) else NO_SMALLER

    def keep(self, tensor: Tensor) -> tuple[Tensor, ...]:
        """Return the core, then the factor (size, rank) of each dimension that has fewer ranks."""
        core, factors = tensor.to(wide(tensor.dtype)), []
        for dim, rank in enumerate(self._ranks(tensor.shape)):
            if rank == tensor.shape[dim]:
                continue
            unfolded = core.movedim(dim, 0).flatten(1)
            _, vectors = torch.linalg.eigh(unfolded @ unfolded.T)  # the largest come last
            factor = vectors[:, -rank:].contiguous()
            del vectors
            core = _along(core, dim, factor.T)
            factors.append(factor.to(tensor.dtype))
        return core.to(tensor.dtype).contiguous(), *factors

    def restore(self, kept: tuple[Tensor, ...], layout: Layout) -> Tensor:
        """Return the projection of x."""
        core, *factors = kept
        core = core.to(wide(core.dtype))
        for dim in reversed(range(core.dim())):  # the batch last: all before it is small
            if core.shape[dim] < layout.shape[dim]:
                core = _along(core, dim, factors.pop().to(core.dtype))
        return core.to(layout.dtype)

    def _ranks(self, shape: torch.Size) -> list[int]:
        return [max(1, round(self.fraction * size)) for size in shape]


def _along(tensor: Tensor, dim: int, matrix: Tensor) -> Tensor:
    """Return the product of ``matrix`` (m, n) with ``tensor`` along a dimension of n."""
    unfolded = tensor.movedim(dim, 0)
    product = matrix @ unfolded.flatten(1)
    return product.view(-1, *unfolded.shape[1:]).movedim(0, dim)
