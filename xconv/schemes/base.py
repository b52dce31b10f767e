"""What the schemes that probe have in common.

The weight gradient ``dW = Σ_b x_b ⋆ δ_b`` is linear in the input x, for every geometry that the
correlation ⋆ may have. Replace each ``x_b`` by a random ``x̂_b`` with ``E[x̂_b] = x_b`` and the
estimate is unbiased, borders included. A scheme draws probes Z (D × r) with ``E[Z Zᵀ] = r·I``,
keeps the sketch ``S = X Z`` and stands for ``x̂_b = Z S_bᵀ / r``.

Two orders of computing give the same estimate. With few probes, correlate with the probes and
contract with the sketch afterwards, so that x̂ is never formed. With more of them it costs less to
form x̂, which takes the place of the input gradient that the layer is about to compute, and to hand
it to the backend's own weight gradient.

A sketch of a float32 input is kept in bfloat16, rounded up or down at random: x̂ is linear in S,
which a rounding of the same mean may therefore replace. An input in 16 bits has its sketch in the
same 16; one in float64, whose user counts on the last digits, has all 64.

Source: Thatipelli et al., "XConv: Low-memory stochastic backpropagation for convolutional
layers", arXiv 2106.06998, section 3 (randomized trace estimation).
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from math import prod
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from xconv.layout import Layout
from xconv.narrowing import narrowed
from xconv.schemes.scheme import NO_SMALLER, Scheme
from xconv.spectrum.allotment import reciprocal, white

if TYPE_CHECKING:
    from xconv.probing import Probing
    from xconv.spectrum.plan import Part, Plan

SMALL_CHUNK = 2**18
"""Elements of some probes, and of what is computed of them, that are not worth dividing."""
_SPARE_BITS = 4
"""Powers of two between the largest number of float16 and the spread of a sketch of such."""
_SMALLEST = 2.0**-24
"""The smallest positive number of float16: in place of 0 where it would be divided by."""


class Probes(Scheme):
    """One way to probe."""

    dial = "probes"
    default = 8
    allowed = "a whole number, 0 or more"

    def check(self, value: float) -> None:
        """Raise an error unless it is whole, 0 (the exact layer) or more."""
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"probes must be an integer, 0 for the exact layer; got {value!r}")
        if value < 0:
            raise ValueError(f"probes must be 0 (the exact layer) or more; got {value}")

    def describe(self, probing: Probing) -> str:
        """Return ``8 rademacher probes, independent``, and whether samples share them."""
        words = f"{probing.probes} {probing.distribution} probes, {self.name}"
        return f"{words}, shared" if probing.shared else words

    @abstractmethod
    def kept(self, layout: Layout, probing: Probing) -> list[tuple[tuple[int, ...], torch.dtype]]:
        """Return shapes and dtypes of what is kept of an input, the sketch first."""

    def divide(self, parts: Sequence[Part], mean: float) -> list[float]:
        """Return numbers of probes: the noise of r probes of D entries is D/r times the input.

        Where images share their probes, errors of images that look alike add up, which this does
        not know.
        """
        entries = [self._entries(*part.shape[1:]) for part in parts]
        variances = [white(part) * n for part, n in zip(parts, entries, strict=True)]
        costs = [part.elements / n for part, n in zip(parts, entries, strict=True)]
        most = [max(1.0, n / 2) for n in entries]
        return [int(r) for r in reciprocal(variances, costs, mean, 1.0, most)]

    def _entries(self, channels: int, pixels: int) -> int:
        """Return how many entries a probe has."""
        return channels * pixels

    def why_exact(self, layout: Layout, probing: Probing) -> str:
        """Return a reason where an input takes no more bytes than what would be kept of it, or is
        no more numbers: so many could say what it is."""
        kept = self.kept(layout, probing)
        numbers = sum(prod(shape) for shape, _ in kept)
        size = sum(prod(shape) * dtype.itemsize for shape, dtype in kept)
        whole = prod(layout.shape)
        return NO_SMALLER if numbers >= whole or size >= whole * layout.dtype.itemsize else ""

    def kept_like(
        self, input: Tensor, layout: Layout, probing: Probing, plan: Plan | None
    ) -> list[Tensor]:
        """Return an empty sketch, and what comes with it."""
        kept = self.kept(layout, probing)
        return [input.new_empty(shape, dtype=dtype) for shape, dtype in kept]


def stored_dtype(dtype: torch.dtype) -> torch.dtype:
    """Return the dtype in which the sketch of an input of ``dtype`` is kept."""
    return torch.bfloat16 if dtype == torch.float32 else dtype


def stored(sketch: Tensor, seed: Tensor) -> Tensor:
    """Return ``sketch``, in the dtype of its input, as it is kept: with the same mean."""
    return narrowed(sketch, seed) if stored_dtype(sketch.dtype) != sketch.dtype else sketch


def exponent(layout: Layout, entries: int) -> int:
    """Return what a sketch is scaled down by before it is summed up, as a power of two.

    In 16 bits it is the whole number nearest to log₂ √D, D the ``entries`` of a probe, so that
    entries of a sketch are of the size of the input's, or less. Float16 gets four more. An entry is
    a sum of D numbers ±x, whose spread is at most √2 times the largest x after scaling: to overflow
    it would have to be 11 spreads from its mean, which one of 10²⁶ is (Hoeffding).
    """
    if layout.dtype not in (torch.float16, torch.bfloat16):
        return 0
    spare = _SPARE_BITS if layout.dtype == torch.float16 else 0
    return round(math.log2(entries) / 2) + spare


def coefficients_of(
    sketch: Tensor, means: Tensor | None, layout: Layout, entries: int, probes: int
) -> tuple[Tensor, Tensor | None, float | Tensor]:
    """Return the sketch as x̂ is computed of it, in the dtype of ``layout``, the ``means`` of the
    same scale, in their own, and the factor that is still to be multiplied by.

    The factor holds the 1/r and what ``exponent`` took away. Only where gradients are summed, in
    float32, is it made up for: x̂ is larger than x. Float16, which might not hold x̂ all the same,
    sees a sketch of which the largest entry is 1, or less where means, the sums of which over all
    pixels are larger, say so.
    """
    factor: float | Tensor = 2.0 ** exponent(layout, entries) / probes
    coefficients = sketch.to(layout.dtype)
    if layout.dtype == torch.float16:
        largest = sketch.abs().amax().float().clamp_(min=_SMALLEST)
        if means is not None:
            largest = torch.maximum(largest, means.abs().amax() * (probes / 2**_SPARE_BITS))
        coefficients, factor = sketch / largest, largest * factor
    return coefficients, None if means is None else means / factor, factor


def summed(parts: Iterator[Tensor]) -> Tensor:
    """Return the sum, in float32 at least. May overwrite the first part."""
    total = next(parts)
    total = total.to(torch.promote_types(total.dtype, torch.float32))
    for part in parts:
        total.add_(part)
        del part
    return total
