"""What a probing scheme is.

The weight gradient ``dW = Σ_b x_b ⋆ δ_b`` is linear in the input x, for every geometry that the
correlation ⋆ may have. Replace each ``x_b`` by a random ``x̂_b`` with ``E[x̂_b] = x_b`` and the
estimate is unbiased, borders included. A scheme draws probes Z (D × r) with ``E[Z Zᵀ] = r·I``,
keeps the sketch ``S = X Z`` and stands for ``x̂_b = Z S_bᵀ / r`` without ever forming it.

Source: Thatipelli et al., "XConv: Low-memory stochastic backpropagation for convolutional
layers", arXiv 2106.06998, section 3 (randomized trace estimation).
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from math import prod

import torch
from torch import Tensor

from xconv.geometry import Geometry
from xconv.layout import Layout, from_memory_order
from xconv.random import DISTRIBUTIONS

Chunks = Iterable[tuple[slice, Tensor]]
"""Some columns of Z at a time: which ones, and the probes themselves, shape ``(n, *probe_shape)``."""


class Scheme(ABC):
    """One way to probe. Stateless; everything random comes through ``chunks``."""

    name: str

    @abstractmethod
    def probe_shape(self, layout: Layout) -> tuple[int, ...]:
        """Shape of one probe, ``(channels or 1, *pixels)``."""

    @abstractmethod
    def sketch_shape(self, layout: Layout, probes: int) -> tuple[int, ...]:
        """Shape of the sketch that ``probes`` probes leave of an input."""

    @abstractmethod
    def chunk_size(self, layout: Layout, weight: torch.Size, output: torch.Size) -> int:
        """Probes to work on at a time, so that what is needed for a moment stays within about
        the size of the layer's own input and output."""

    @abstractmethod
    def project(self, input: Tensor, probes: Tensor) -> Tensor:
        """The columns of ``S = X Z`` that belong to a chunk of probes."""

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

    def sketch(self, input: Tensor, chunks: Chunks, probes: int) -> Tensor:
        """``S = X Z``, normalised so that its entries are of the size of the input's.

        Shape ``sketch_shape``, dtype and device of ``input``. The factor is a power of two, hence
        exact, and keeps float16 from overflowing.
        """
        layout = Layout.of(input)
        result = input.new_empty(self.sketch_shape(layout, probes))
        scale = self._scale(layout)
        for columns, chunk in chunks:
            result[..., columns] = self.project(input, chunk * scale)
        return result

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
        """``dW ≈ Σ_b (Z S_bᵀ / r) ⋆ δ_b``, shape and dtype of ``weight``, whose values are not used.

        Chunks are summed in float32 at least.
        """
        coefficients = sketch * (1 / (probes * self._scale(layout)))
        total = None
        for columns, chunk in chunks:
            part = self.correlate(chunk, coefficients[..., columns], grad_output, geometry, weight)
            if columns == slice(0, probes):
                return part
            part = part.to(torch.promote_types(part.dtype, torch.float32))
            total = part if total is None else total.add_(part)
        assert total is not None
        return total.to(weight.dtype)

    def _scale(self, layout: Layout) -> float:
        """The power of two nearest to ``1/√D``, D the entries of a probe."""
        return 2.0 ** -round(math.log2(prod(self.probe_shape(layout))) / 2)
