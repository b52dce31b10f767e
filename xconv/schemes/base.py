"""The common part of the schemes that keep random projections.

The weight gradient ``dW = Σ_b x_b ⋆ δ_b`` is linear in the input x, for every geometry of the
correlation ⋆. If each ``x_b`` is replaced by a random ``x̂_b`` with ``E[x̂_b] = x_b``, the estimate
is unbiased, borders included. A scheme draws probes Z (D × r) with ``E[Z Zᵀ] = r·I``, keeps the
sketch ``S = X Z``, and uses ``x̂_b = Z S_bᵀ / r``.

Two orders of computation give the same estimate. With few probes, correlate the output gradient
with the probes and contract with the sketch afterwards, so that x̂ is never formed. With more
probes it costs less to form x̂, which takes the place of the input gradient that the layer is about
to compute, and to pass it to the backend's own weight gradient.

A sketch of a float32 input is kept in bfloat16, rounded up or down at random: x̂ is linear in S, so
a rounding with the same mean leaves the mean of x̂. A sketch of a 16-bit input has the same dtype,
and so has one of a float64 input, whose user needs the last digits.

Source: Thatipelli et al., "XConv: Low-memory stochastic backpropagation for convolutional layers",
arXiv 2106.06998, section 3 (randomized trace estimation).
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
    from xconv.schemes.scheme import Dials
    from xconv.spectrum.plan import BlockPlan, Contribution

SMALL_CHUNK = 2**18
"""Elements of several probes, or of results computed from them, that are too few to divide."""
_SPARE_BITS = 4
"""Powers of two between the largest float16 number and the spread of a float16 sketch."""
_SMALLEST = 2.0**-24
"""The smallest positive float16 number, which replaces 0 in a division."""


class Probes(Scheme):
    """Base of the schemes that keep random projections."""

    dial = "probes"
    default = 8
    allowed = "a whole number, 0 or more"

    def check(self, value: float) -> None:
        """Raise TypeError unless ``value`` is an integer, and ValueError if it is negative."""
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"probes must be an integer, 0 for the exact layer; got {value!r}")
        if value < 0:
            raise ValueError(f"probes must be 0 (the exact layer) or more; got {value}")

    def describe(self, probing: Dials) -> str:
        """Return a text such as ``8 rademacher probes, independent, shared``."""
        words = f"{probing.probes} {probing.distribution} probes, {self.name}"
        return f"{words}, shared" if probing.shared else words

    @abstractmethod
    def kept(self, layout: Layout, probing: Dials) -> list[tuple[tuple[int, ...], torch.dtype]]:
        """Return shapes and dtypes of what is kept of an input, the sketch first."""

    def divide(self, parts: Sequence[Contribution], mean: float) -> list[float]:
        """Return a number of probes for each layer, from the law that their noise follows.

        The noise of r probes of D entries has D/r times the energy of the input. With ``shared``
        probes, errors of similar images also add up, which this law ignores.
        """
        entries = [self._entries(*part.shape[1:]) for part in parts]
        variances = [white(part) * n for part, n in zip(parts, entries, strict=True)]
        costs = [part.elements / n for part, n in zip(parts, entries, strict=True)]
        most = [max(1.0, n / 2) for n in entries]
        return [int(r) for r in reciprocal(variances, costs, mean, 1.0, most)]

    def _entries(self, channels: int, pixels: int) -> int:
        """Return the number of entries of a probe."""
        return channels * pixels

    def why_exact(self, layout: Layout, probing: Dials) -> str:
        """Return a reason if what would be kept is no smaller than the input, or an empty text.

        As many numbers as the input has could describe it exactly, however few bytes each takes.
        """
        kept = self.kept(layout, probing)
        numbers = sum(prod(shape) for shape, _ in kept)
        size = sum(prod(shape) * dtype.itemsize for shape, dtype in kept)
        whole = prod(layout.shape)
        return NO_SMALLER if numbers >= whole or size >= whole * layout.dtype.itemsize else ""

    def kept_like(
        self, input: Tensor, layout: Layout, probing: Dials, plan: BlockPlan | None
    ) -> list[Tensor]:
        """Return an empty sketch, and empty tensors for what comes with it."""
        kept = self.kept(layout, probing)
        return [input.new_empty(shape, dtype=dtype) for shape, dtype in kept]


def stored_dtype(dtype: torch.dtype) -> torch.dtype:
    """Return the dtype in which the sketch of an input of ``dtype`` is kept."""
    return torch.bfloat16 if dtype == torch.float32 else dtype


def stored(sketch: Tensor, seed: Tensor) -> Tensor:
    """Return ``sketch`` in the dtype in which it is kept, with the same mean."""
    return narrowed(sketch, seed) if stored_dtype(sketch.dtype) != sketch.dtype else sketch


def exponent(layout: Layout, entries: int) -> int:
    """Return the power of two by which a sketch is scaled down before it is summed.

    For 16-bit dtypes it is the whole number nearest to log₂ √D, with D the ``entries`` of a probe,
    so that entries of a sketch are at most about as large as those of the input. Float16 gets four
    more. An entry is a sum of D numbers ±x, whose spread after scaling is at most √2 times the
    largest x: to overflow, it would have to be 11 spreads from its mean, which happens to one entry
    in 10²⁶ (Hoeffding).
    """
    if layout.dtype not in (torch.float16, torch.bfloat16):
        return 0
    spare = _SPARE_BITS if layout.dtype == torch.float16 else 0
    return round(math.log2(entries) / 2) + spare


def coefficients_of(
    sketch: Tensor, means: Tensor | None, layout: Layout, entries: int, probes: int
) -> tuple[Tensor, Tensor | None, float | Tensor]:
    """Return the sketch, the ``means`` and the factor that remains to be multiplied by.

    The sketch has the dtype of ``layout`` and the means keep theirs; both have the same scale. The
    factor holds the 1/r and undoes ``exponent``. It is applied only to gradients, which are summed
    in float32, since x̂ is larger than x. In float16, which might not hold x̂ even so, the sketch
    is scaled so that its largest entry is 1, or less if the means, whose sums over all pixels are
    larger, require it.
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
    """Return the sum of ``parts`` in float32 at least. May overwrite the first part."""
    total = next(parts)
    total = total.to(torch.promote_types(total.dtype, torch.float32))
    for part in parts:
        total.add_(part)
        del part
    return total
