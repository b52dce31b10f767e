"""What the schemes that probe have in common.

The weight gradient ``dW = Σ_b x_b ⋆ δ_b`` is linear in the input x, for every geometry that the
correlation ⋆ may have. Replace each ``x_b`` by a random ``x̂_b`` with ``E[x̂_b] = x_b`` and the
estimate is unbiased, borders included. A scheme draws probes Z (D × r) with ``E[Z Zᵀ] = r·I``,
keeps the sketch ``S = X Z`` and stands for ``x̂_b = Z S_bᵀ / r``.

Two orders of computing give the same estimate. With few probes, correlate with the probes and
contract with the sketch afterwards, so that x̂ is never formed. With more of them it costs less to
form x̂, which takes the place of the input gradient that the layer is about to compute, and to hand
it to the backend's own weight gradient.

Source: Thatipelli et al., "XConv: Low-memory stochastic backpropagation for convolutional
layers", arXiv 2106.06998, section 3 (randomized trace estimation).
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from math import prod
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from xconv.geometry import Geometry
from xconv.layout import Layout, from_memory_order
from xconv.precision import convolution_precision
from xconv.random import DISTRIBUTIONS
from xconv.schemes.scheme import NO_SMALLER, Scheme

if TYPE_CHECKING:
    from xconv.probing import Probing
    from xconv.spectrum.plan import Plan

Chunks = Iterable[tuple[slice, Tensor]]
"""Some columns of Z at a time, in order: which ones, and the probes, ``(n, *probe_shape)``.

Each is a tensor of its own that whoever takes it may overwrite, and lets go of before taking the
next: no two need to live at the same time.
"""

SMALL_CHUNK = 2**18
"""Elements of a chunk of probes, and of what is computed of it, that is not worth dividing."""
_CACHED_ELEMENTS = 2**21
"""Elements of x̂ to form at a time on a CPU, so that its cache still holds them afterwards."""
_MOST_PARTS = 64
"""Parts of a batch at the most: very large ones occur in simulations, which compute nothing."""
_SPARE_BITS = 4
"""Powers of two between the largest number of float16 and the spread of a sketch of such."""
_SMALLEST = 2.0**-24
"""The smallest positive number of float16: in place of 0 where it would be divided by."""


class Probes(Scheme):
    """One way to probe. Stateless; everything random comes through ``chunks``."""

    dial = "probes"
    default = 8

    def check(self, value: float) -> None:
        """Whole, 0 for the exact layer or more."""
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"probes must be an integer, 0 for the exact layer; got {value!r}")
        if value < 0:
            raise ValueError(f"probes must be 0 (the exact layer) or more; got {value}")

    def describe(self, probing: Probing) -> str:
        """``8 rademacher probes, independent``"""
        return f"{probing.probes} {probing.distribution} probes, {self.name}"

    def why_exact(self, layout: Layout, probing: Probing) -> str:
        """A sketch may be no smaller than the input."""
        sketch = prod(self.sketch_shape(layout, probing.probes or 0))
        return "" if sketch < prod(layout.shape) else NO_SMALLER

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
        """Seed and sketch."""
        probes = probing.probes or 0
        size = self.chunk_size(layout, probes, weight, output)
        chunks = self.chunks(seed, probes, size, layout, probing.distribution)
        with convolution_precision(input.device):
            return seed, self.sketch(input, chunks)

    def kept_like(
        self, input: Tensor, layout: Layout, probing: Probing, plan: Plan | None
    ) -> list[Tensor]:
        """The sketch."""
        return [input.new_empty(self.sketch_shape(layout, probing.probes or 0))]

    def estimate(
        self,
        kept: Sequence[Tensor],
        seed: Tensor,
        grad_output: Tensor,
        geometry: Geometry,
        probing: Probing,
        layout: Layout,
        weight: Tensor,
    ) -> Tensor:
        """From the same probes, drawn again."""
        (sketch,) = kept
        probes = probing.probes or 0
        size = self.chunk_size(layout, probes, weight.shape, grad_output.shape)
        chunks = self.chunks(seed, probes, size, layout, probing.distribution)
        with convolution_precision(grad_output.device):
            return self.weight_gradient(
                sketch, chunks, probes, grad_output, geometry, layout, weight
            )

    @abstractmethod
    def probe_shape(self, layout: Layout) -> tuple[int, ...]:
        """Shape of one probe, ``(channels or 1, *pixels)``."""

    @abstractmethod
    def sketch_shape(self, layout: Layout, probes: int) -> tuple[int, ...]:
        """Shape of the sketch that ``probes`` probes leave of an input."""

    @abstractmethod
    def chunk_size(
        self, layout: Layout, probes: int, weight: torch.Size, output: torch.Size
    ) -> int:
        """Probes to work on at a time, so that what is needed for a moment stays within about
        the size of the layer's own input and output."""

    @abstractmethod
    def project(self, input: Tensor, probes: Tensor) -> Tensor:
        """The columns of ``S = X Z`` that belong to a chunk of probes."""

    @abstractmethod
    def expand(self, probes: Tensor, coefficients: Tensor, result: Tensor, beta: int) -> None:
        """``result ← β·result + Σ_j z_j c_bj`` over a chunk of probes z: ``project``, transposed.

        ``result`` is (batch, channels, *pixels), dense, contiguous or channels-last; with β = 0 it
        may hold anything.
        """

    @abstractmethod
    def expanding_costs_less(
        self, layout: Layout, probes: int, weight: torch.Size, output: torch.Size
    ) -> bool:
        """Whether forming x̂ takes fewer operations than correlating with every probe, or is the
        only order that stays within the size of what the layer works on."""

    @abstractmethod
    def correlate(
        self,
        probes: Tensor,
        coefficients: Tensor,
        grad_output: Tensor,
        geometry: Geometry,
        weight: Tensor,
    ) -> Tensor:
        """``Σ_b (Σ_j z_j c_bj) ⋆ δ_b`` over a chunk of probes z with coefficients c."""

    def draw(
        self, seed: Tensor, columns: slice, probes: int, layout: Layout, distribution: str
    ) -> Tensor:
        """Some columns of ``probes`` probes, shape ``(n, *probe_shape)``, of unit variance."""
        shape = self.probe_shape(layout)
        count = columns.stop - columns.start
        numbers = DISTRIBUTIONS[distribution](
            seed, columns.start, count * prod(shape), layout.dtype, layout.device
        )
        return self.arrange(numbers, count, shape, layout)

    def arrange(
        self, numbers: Tensor, count: int, shape: tuple[int, ...], layout: Layout
    ) -> Tensor:
        """A flat tensor of numbers as probes that lie in memory as the products want them."""
        if layout.channels_last:
            shape = (*shape[1:], shape[0])
        return from_memory_order(numbers.view(count, *shape), layout.channels_last)

    def chunks(
        self, seed: Tensor, probes: int, size: int, layout: Layout, distribution: str
    ) -> Iterator[tuple[slice, Tensor]]:
        """All probes, ``size`` at a time; the same ones for the same arguments, at any time."""
        for start in range(0, probes, size):
            columns = slice(start, min(start + size, probes))
            yield columns, self.draw(seed, columns, probes, layout, distribution)

    def sketch(self, input: Tensor, chunks: Chunks) -> Tensor:
        """``S = X Z``, normalised so that its entries are of the size of the input's, or less.

        Shape ``sketch_shape``, dtype and device of ``input``. The factor is a power of two, hence
        exact.
        """
        scale = 2.0 ** -self._magnitude(Layout.of(input))
        parts = []
        for _, chunk in chunks:
            parts.append(self.project(input, chunk.mul_(scale)))
            del chunk
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)

    def weight_gradient(
        self,
        sketch: Tensor,
        chunks: Chunks,
        probes: int,
        grad_output: Tensor,
        geometry: Geometry,
        layout: Layout,
        weight: Tensor,
    ) -> Tensor:
        """``dW ≈ Σ_b (Z S_bᵀ / r) ⋆ δ_b``, shape of ``weight``, whose values do not count.

        Summed in float32 at least, which is the dtype of the result. Only there is the sketch's
        factor made up for: x̂ is larger than x. Float16, which might not hold x̂ all the same, sees
        a sketch of which the largest entry is 1.
        """
        factor: float | Tensor = 2.0 ** self._magnitude(layout) / probes
        coefficients = sketch
        if layout.dtype == torch.float16:
            largest = sketch.abs().amax().float().clamp_(min=_SMALLEST)
            coefficients, factor = sketch / largest, largest * factor
        if self.expanding_costs_less(layout, probes, weight.shape, grad_output.shape):
            parts = self._expanded(
                coefficients, chunks, probes, grad_output, geometry, layout, weight
            )
        else:
            parts = self._correlated(coefficients, chunks, grad_output, geometry, weight)
        del coefficients  # left to the parts, which let go of them as soon as they can
        return _sum(parts).mul_(factor)

    def _correlated(
        self,
        coefficients: Tensor,
        chunks: Chunks,
        grad_output: Tensor,
        geometry: Geometry,
        weight: Tensor,
    ) -> Iterator[Tensor]:
        """What each chunk of probes adds to the weight gradient."""
        for columns, chunk in chunks:
            yield self.correlate(chunk, coefficients[..., columns], grad_output, geometry, weight)
            del chunk

    def _expanded(
        self,
        coefficients: Tensor,
        chunks: Chunks,
        probes: int,
        grad_output: Tensor,
        geometry: Geometry,
        layout: Layout,
        weight: Tensor,
    ) -> Iterator[Tensor]:
        """Weight gradients of x̂: of some images at a time where all probes come in one chunk."""
        chunks = iter(chunks)
        columns, chunk = next(chunks)
        batch = layout.shape[0]
        size = _images_at_a_time(layout) if columns == slice(0, probes) else batch
        for start in range(0, batch, size):
            images = slice(start, start + size)
            expanded = layout.empty(images)
            self.expand(chunk, coefficients[images][..., columns], expanded, beta=0)
            if size == batch:
                del chunk
                for columns, chunk in chunks:
                    self.expand(chunk, coefficients[..., columns], expanded, beta=1)
                    del chunk
                del coefficients
            yield geometry.weight_gradient(grad_output[images], expanded, weight)

    def _magnitude(self, layout: Layout) -> int:
        """The whole number nearest to log₂ √D, D the entries of a probe: what the sketch is scaled
        down by, as a power of two.

        Float16 gets four more. An entry is a sum of D numbers ±x, whose spread is at most √2 times
        the largest x after scaling: to overflow it would have to be 11 spreads from its mean, which
        one of 10²⁶ is (Hoeffding).
        """
        spare = _SPARE_BITS if layout.dtype == torch.float16 else 0
        return round(math.log2(prod(self.probe_shape(layout))) / 2) + spare


def _images_at_a_time(layout: Layout) -> int:
    """Images of which to form x̂ together; parts of a batch on a CPU, for the sake of its cache."""
    batch = layout.shape[0]
    if layout.device.type != "cpu":
        return batch
    fitting = _CACHED_ELEMENTS * batch // prod(layout.shape)
    return min(batch, max(-(-batch // _MOST_PARTS), fitting))


def _sum(parts: Iterator[Tensor]) -> Tensor:
    """The sum, in float32 at least. May overwrite the first part."""
    total = next(parts)
    total = total.to(torch.promote_types(total.dtype, torch.float32))
    for part in parts:
        total.add_(part)
        del part
    return total
