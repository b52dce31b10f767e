"""Multi-channel probes: one probe spans all channels and pixels.

``Z`` is C·N × r and the sketch ``S = X Z`` is B × r, the smallest of all schemes. As E[Z Zᵀ] = r·I,
``x̂_b = Z S_bᵀ / r`` has the mean x_b. Its gradient is

    dW ≈ (1/r) Σ_j z_j ⋆ (Σ_b S_bj δ_b),

an ordinary weight gradient with a *batch of r*: the probes are the images, and the mixed output
gradients ``Sᵀδ`` are their gradients. The backend's own kernel computes it for every geometry.

Source: arXiv 2106.06998, section 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import prod
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from xconv.geometry import Geometry
from xconv.layout import Layout, arranged, in_memory_order, is_channels_last
from xconv.precision import convolution_precision
from xconv.random import DISTRIBUTIONS
from xconv.schemes.base import (
    SMALL_CHUNK,
    Probes,
    coefficients_of,
    exponent,
    stored,
    stored_dtype,
    summed,
)

if TYPE_CHECKING:
    from xconv.schemes.scheme import Dials
    from xconv.spectrum.plan import BlockPlan

Chunks = Iterable[tuple[slice, Tensor]]
"""Consecutive columns of Z: which ones, and the probes, ``(n, C, *pixels)``.

Each chunk is a tensor of its own. Its consumer may overwrite it and releases it before taking the
next, so that no two are alive at the same time.
"""

_CACHED_ELEMENTS = 2**21
"""Elements of x̂ to form at a time on a CPU, so that its cache still holds them afterwards."""
_MOST_PARTS = 64
"""Largest number of parts of a batch; very large batches occur in simulations only."""


class Multi(Probes):
    """Projections over all channels: error E‖·‖² ∝ C/r, since channels disturb one another.

    >>> layer = XConv2d(3, 8, 3, scheme="multi", probes=64)
    >>> layer(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 8, 30, 30])
    """

    name = "multi"

    def kept(self, layout: Layout, probing: Dials) -> list[tuple[tuple[int, ...], torch.dtype]]:
        """Return (B, r), the shape of the sketch."""
        return [((layout.shape[0], probing.probes or 0), stored_dtype(layout.dtype))]

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
        """Return the seed and the sketch."""
        probes = probing.probes or 0
        size = self.chunk_size(layout, probes, weight, output)
        chunks = self.chunks(seed, probes, size, layout, probing.distribution)
        with convolution_precision(input.device):
            return seed, stored(self.sketch(input, chunks), seed)

    def estimate(
        self,
        kept: Sequence[Tensor],
        seed: Tensor,
        grad_output: Tensor,
        geometry: Geometry,
        probing: Dials,
        layout: Layout,
        weight: Tensor,
    ) -> Tensor:
        """Return the weight gradient from the same probes, drawn again."""
        (sketch,) = kept
        probes = probing.probes or 0
        size = self.chunk_size(layout, probes, weight.shape, grad_output.shape)
        chunks = self.chunks(seed, probes, size, layout, probing.distribution)
        with convolution_precision(grad_output.device):
            return self.weight_gradient(
                sketch, chunks, probes, grad_output, geometry, layout, weight
            )

    def chunk_size(
        self, layout: Layout, probes: int, weight: torch.Size, output: torch.Size
    ) -> int:
        """Return the number of probes in a chunk: half a batch, or more if probes are small.

        A probe is as large as an image and its mixed gradient as an output; small ones are taken in
        larger numbers because each chunk has a fixed cost.
        """
        largest = max(prod(layout.shape[1:]), prod(output[1:]))
        return max(1, layout.shape[0] // 2, SMALL_CHUNK // largest)

    def draw(
        self, seed: Tensor, columns: slice, probes: int, layout: Layout, distribution: str
    ) -> Tensor:
        """Return some columns of ``probes`` probes of unit variance, (n, C, *pixels)."""
        shape = (columns.stop - columns.start, *layout.shape[1:])
        numbers = DISTRIBUTIONS[distribution](
            seed, columns.start, prod(shape), layout.dtype, layout.device
        )
        return arranged(numbers, shape, layout.channels_last)

    def chunks(
        self, seed: Tensor, probes: int, size: int, layout: Layout, distribution: str
    ) -> Iterator[tuple[slice, Tensor]]:
        """Yield all probes, ``size`` at a time; equal arguments give equal probes."""
        for start in range(0, probes, size):
            columns = slice(start, min(start + size, probes))
            yield columns, self.draw(seed, columns, probes, layout, distribution)

    def sketch(self, input: Tensor, chunks: Chunks) -> Tensor:
        """Return ``S = X Z``, (B, r) in the dtype of ``input``, scaled down by ``exponent``."""
        scale = 2.0 ** -exponent(Layout.of(input), prod(input.shape[1:]))
        parts = []
        for _, chunk in chunks:
            scaled = chunk.mul_(scale) if scale != 1 else chunk
            parts.append(_project(input, scaled))
            del chunk, scaled
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
        """Return ``Σ_b (Z S_bᵀ / r) ⋆ δ_b``, in float32 at least, in the shape of ``weight``.

        The values of ``weight`` are not used.
        """
        size = prod(layout.shape[1:])
        coefficients, _, factor = coefficients_of(sketch, None, layout, size, probes)
        if self.expanding_costs_less(layout, probes):
            parts = _expanded(coefficients, chunks, probes, grad_output, geometry, layout, weight)
        else:
            parts = _correlated(coefficients, chunks, grad_output, geometry, weight)
        del coefficients  # only the generator holds them now, and frees them early
        return summed(parts).mul_(factor)

    def expanding_costs_less(self, layout: Layout, probes: int) -> bool:
        """Return whether a weight gradient over the batch is smaller than one over the probes."""
        return probes > layout.shape[0]


def _project(input: Tensor, probes: Tensor) -> Tensor:
    """Return (B × C·N)(C·N × n), both factors flattened in their memory order."""
    channels_last = is_channels_last(input)
    return _rows(input, channels_last) @ _rows(probes, channels_last).t()


def _expand(probes: Tensor, coefficients: Tensor, result: Tensor, beta: int) -> None:
    """Set ``result`` to ``β·result + Σ_j z_j c_bj``, (B × n)(n × C·N).

    With β = 0 its values are unused.
    """
    channels_last = is_channels_last(result)
    rows = _rows(result, channels_last)
    rows.addmm_(coefficients, _rows(probes, channels_last), beta=beta)


def _correlated(
    coefficients: Tensor, chunks: Chunks, grad_output: Tensor, geometry: Geometry, weight: Tensor
) -> Iterator[Tensor]:
    """Yield the gradient of each chunk: one weight gradient, as of a batch of probes."""
    layout = Layout.of(grad_output)
    for columns, chunk in chunks:
        mixed = coefficients[..., columns].t() @ _rows(grad_output, layout.channels_last)
        shape = (len(chunk), *grad_output.shape[1:])
        mixed = arranged(mixed.view(-1), shape, layout.channels_last)
        yield geometry.weight_gradient(mixed, chunk, weight)
        del chunk, mixed


def _expanded(
    coefficients: Tensor,
    chunks: Chunks,
    probes: int,
    grad_output: Tensor,
    geometry: Geometry,
    layout: Layout,
    weight: Tensor,
) -> Iterator[Tensor]:
    """Yield weight gradients of x̂, for some images at a time if all probes come in one chunk."""
    chunks = iter(chunks)
    columns, chunk = next(chunks)
    batch = layout.shape[0]
    size = _images_at_a_time(layout) if columns == slice(0, probes) else batch
    for start in range(0, batch, size):
        images = slice(start, start + size)
        expanded = layout.empty(images)
        _expand(chunk, coefficients[images][..., columns], expanded, beta=0)
        if size == batch:
            del chunk
            for columns, chunk in chunks:
                _expand(chunk, coefficients[..., columns], expanded, beta=1)
                del chunk
            del coefficients
        yield geometry.weight_gradient(grad_output[images], expanded, weight)


def _images_at_a_time(layout: Layout) -> int:
    """Return the number of images of which to form x̂ together.

    On a CPU they are few enough for its cache.
    """
    batch = layout.shape[0]
    if layout.device.type != "cpu":
        return batch
    fitting = _CACHED_ELEMENTS * batch // prod(layout.shape)
    return min(batch, max(-(-batch // _MOST_PARTS), fitting))


def _rows(images: Tensor, channels_last: bool) -> Tensor:
    """Return (n, C, *pixels) as (n, C·N) in memory order, as a view if possible."""
    return in_memory_order(images, channels_last).flatten(1)
