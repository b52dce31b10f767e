"""Independent probes: every channel is projected on its own (the paper's default scheme).

Each image b of a batch has its own probes ``Z_b`` (N × r), which its channels share. The mean m of
each channel is kept as it is, and only the deviation from it is projected:

    S_b = (X_b - m_b 1ᵀ) Z_b,    x̂_b = m_b 1ᵀ + S_b Z_bᵀ P / r,    P = I - 1 1ᵀ / N

Then E[x̂_b] = x_b, since ``E[Z_b Z_bᵀ] = r·I`` and P leaves alone what has mean zero. P removes
from x̂ what the probes would add to the mean, so the mean of x̂ is always m. Neither X nor Z needs
to be centred: with ``t_b = Z_bᵀ 1`` the sketch is ``X_b Z_b - m_b t_bᵀ``, and the constant part of
x̂ is ``m_b - S_b t_b / (r N)``.

For the gradient of the other part, correlate the output gradient with the single-channel probes
first, then contract with the sketch:

    Q[b, o, k, j] = Σ_p δ[b, o, p] z_bj[pixel that output p sees through kernel offset k]
    dW[o, c, k]   ≈ (1/r) Σ_b Σ_j Q[b, o, k, j] S[b, c, j].

Both are matrix products; the first costs r/C of the exact weight gradient. The gradient of the
constant part needs only sums of the output gradient.

The paper uses one set of probes for all images and centres nothing (``shared``). Errors of similar
images then add up, where those of images with their own probes average out, and after a ReLU most
of the energy is in the mean.

Source: arXiv 2106.06998, section 3.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from xconv.geometry import Geometry, pixels
from xconv.layout import Layout, from_memory_order, in_memory_order
from xconv.native.probes import DrawTable
from xconv.precision import convolution_precision
from xconv.random import DISTRIBUTIONS
from xconv.schemes import signs, single
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

CACHED = 2**23
"""Elements to process together so that a CPU's cache still holds them when they are used."""
_MOST_PARTS = 64
"""Largest number of parts of a batch; very large batches occur in simulations only."""
_DIVIDED = 2
"""Factor by which a multiplication is slower if the probes of an image come in parts."""


class ProbeColumns(NamedTuple):
    """Some columns of the probes of some images."""

    images: slice
    columns: slice
    stream: int
    is_last: bool
    """Whether these are the last columns of these images."""


class Independent(Probes):
    """Projections of single channels: error E‖·‖² ∝ 1/r for any number of channels.

    The sketch is C times as large as that of ``multi`` for the same number of probes r.

    >>> layer = XConv2d(3, 8, 3, scheme="independent", probes=8)
    >>> layer(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 8, 30, 30])
    """

    name = "independent"

    def kept(self, layout: Layout, probing: Dials) -> list[tuple[tuple[int, ...], torch.dtype]]:
        """Return (B, C, r) for the sketch, and (B, C) in float32 at least for the means."""
        of_channels = tuple(layout.shape[:2])
        sketch = (*of_channels, probing.probes or 0), stored_dtype(layout.dtype)
        return [sketch] if probing.shared else [sketch, (of_channels, _wide(layout))]

    def _entries(self, channels: int, pixels: int) -> int:
        """Return the number of entries of a probe: the pixels of one channel."""
        return pixels

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
        """Return the seed and the sketch, followed by the means unless probes are shared."""
        lines = input.movedim(1, -1) if layout.channels_last else input
        library = signs.library_of_sketch(layout, probing, lines)
        if library is not None:
            together, count = _drawn_together(layout, probing, weight, output), probing.probes or 0
            if together.fits(_room(layout, output)):
                return seed, *signs.sketched(library, together, lines, seed, layout, count)
        size = pixels(layout.shape)
        scale = 2.0 ** -exponent(layout, size)
        sketch = input.new_empty(*layout.shape[:2], probing.probes or 0)
        means = None if probing.shared else input.new_empty(layout.shape[:2], dtype=_wide(layout))
        with convolution_precision(input.device):
            for part in self._parts(layout, probing, weight, output):
                probes = self.draw(seed, part, layout, probing)
                probes = probes.mul_(scale) if scale != 1 else probes
                some = input[part.images]
                products = single.over_pixels(some, probes)
                if means is not None:
                    if part.columns.start == 0:
                        means[part.images] = _totals(some, means.dtype).div_(size)
                    totals = _totals(probes, means.dtype).unsqueeze(1)
                    products = products - means[part.images].unsqueeze(2) * totals
                sketch[part.images, :, part.columns] = products
                del probes, products
        kept = stored(sketch, seed)
        return (seed, kept) if means is None else (seed, kept, means)

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
        """Return the weight gradient from the same probes, drawn again, and from the means."""
        library = signs.library_of_estimate(layout, probing, kept, grad_output)
        if library is not None:
            together = _drawn_together(layout, probing, weight.shape, grad_output.shape)
            room = _room(layout, grad_output.shape)
            if together.fits(room):
                return signs.estimated(
                    library, together, kept, seed, grad_output, geometry, layout, weight, room
                )
        probes = probing.probes or 0
        sketch, means = (kept[0], None) if probing.shared else kept
        coefficients, constants, factor = coefficients_of(
            sketch, means, layout, pixels(layout.shape), probes
        )
        expands = self._expands(layout, probing, weight.shape, grad_output.shape)
        way = _expanded if expands else _correlated
        with convolution_precision(grad_output.device):
            drawn = self._drawn(seed, coefficients, constants, probing, layout, weight, grad_output)
            parts = way(drawn, constants, grad_output, geometry, layout, weight)
            return summed(parts).mul_(factor)

    def draw(self, seed: Tensor, part: ProbeColumns, layout: Layout, probing: Dials) -> Tensor:
        """Return probes of unit variance, (images, n, *pixels), or (1, n, *pixels) if shared.

        They have the memory order of ``layout``, and the same values in either order.
        """
        images = 1 if probing.shared else part.images.stop - part.images.start
        shape = (images, part.columns.stop - part.columns.start, *layout.shape[2:])
        numbers = DISTRIBUTIONS[probing.distribution](
            seed, part.stream, prod(shape), layout.dtype, layout.device
        )
        probes = numbers.view(shape)
        last = layout.channels_last
        return from_memory_order(in_memory_order(probes, last), last)

    def _drawn(
        self,
        seed: Tensor,
        coefficients: Tensor,
        constants: Tensor | None,
        probing: Dials,
        layout: Layout,
        weight: Tensor,
        grad_output: Tensor,
    ) -> Iterator[tuple[ProbeColumns, Tensor, Tensor]]:
        """Yield parts with their probes and coefficients.

        The amount by which these change the means of x̂ is subtracted from ``constants``, (B, C).
        """
        for part in self._parts(layout, probing, weight.shape, grad_output.shape):
            probes = self.draw(seed, part, layout, probing)
            some = coefficients[part.images, :, part.columns]
            if constants is not None:
                means = _totals(probes, constants.dtype).div_(pixels(layout.shape))
                added = some.to(constants.dtype) @ means.unsqueeze(2)
                constants[part.images] -= added.squeeze(2)
            yield part, probes, some
            del probes

    def _parts(
        self, layout: Layout, probing: Dials, weight: torch.Size, output: torch.Size
    ) -> Iterator[ProbeColumns]:
        """Yield parts that together cover all images and all columns.

        A part has only some columns of one image if all columns of an image would take more memory
        than the layer's own input and output.
        """
        batch, probes = layout.shape[0], probing.probes or 0
        room = _room(layout, output)
        expands = self._expands(layout, probing, weight, output)
        if probing.shared and not expands:
            images, columns = batch, room // _correlating(batch, layout, weight, output)
        else:
            fixed = max(prod(layout.shape[1:]), 3 * output[1] * prod(weight[2:])) * expands
            needed = 2 * pixels(layout.shape)
            needed = needed if expands else _correlating(1, layout, weight, output)
            image = fixed + probes * needed
            images = _images(layout, image, room, weight, output)
            columns = probes if image <= room else (room - fixed) // needed
        columns = min(probes, max(1, columns))
        stream = 0
        for first in range(0, batch, images):
            for start in range(0, probes, columns):
                yield ProbeColumns(
                    slice(first, min(first + images, batch)),
                    slice(start, min(start + columns, probes)),
                    start if probing.shared else stream,
                    start + columns >= probes,
                )
                stream += 1

    def _expands(
        self, layout: Layout, probing: Dials, weight: torch.Size, output: torch.Size
    ) -> bool:
        """Return whether forming x̂ is faster than correlating with every probe, or the only way.

        The alternative is excluded if it needs more memory than the tensors that the layer works
        on. Multiplications are compared for one image. A backend's weight gradient visits the
        smaller of both images, whichever way it convolves.
        """
        probes = probing.probes or 0
        room = _room(layout, output) + prod(weight)
        images = layout.shape[0] if probing.shared else 1
        needed = _correlating(images, layout, weight, output)
        if needed > room:
            return True
        seen, weights = prod(output[1:]) * prod(weight[2:]), prod(weight)
        correlating = probes * (seen + weights) * (_DIVIDED if needed * probes > room else 1)
        smaller = min(pixels(layout.shape), pixels(output))
        return probes * prod(layout.shape[1:]) + weights * smaller < correlating


@lru_cache(maxsize=1024)
def _drawn_together(
    layout: Layout, probing: Dials, weight: torch.Size, output: torch.Size
) -> DrawTable:
    """Return the parts that draw the same probes with kernels in C."""
    parts = Independent()._parts(layout, probing, weight, output)
    rows = [(part.images, part.columns, part.stream) for part in parts]
    return DrawTable.of(rows, pixels(layout.shape), probing.shared)


def _room(layout: Layout, output: torch.Size) -> int:
    """Return the number of elements that temporary tensors may have."""
    return max(SMALL_CHUNK, prod(layout.shape) + prod(output))


def _correlating(images: int, layout: Layout, weight: torch.Size, output: torch.Size) -> int:
    """Return the temporary elements that each probe of ``images`` images needs for correlation.

    These are the probe itself, padded; its windows, if any; Q, what replaces Q while it is
    computed, and the copies of it that the contraction makes.
    """
    size, offsets, seen = pixels(layout.shape), prod(weight[2:]), pixels(output)
    windows = 0 if single.by_groups(layout.device) else offsets * seen + 2 * max(size, seen)
    return images * (2 * size + windows + 4 * offsets * output[1])


def _images(layout: Layout, needed: int, room: int, weight: torch.Size, output: torch.Size) -> int:
    """Return the number of images to process together, each of which needs ``needed`` elements."""
    batch = layout.shape[0]
    fitting = room // needed
    if layout.device.type == "cpu":
        cached = max(CACHED, 2 * prod(weight)) // (needed + prod(output[1:]))
        fitting = min(fitting, max(cached, batch // _MOST_PARTS))
    return min(batch, max(1, fitting))


def _wide(layout: Layout) -> torch.dtype:
    return torch.promote_types(layout.dtype, torch.float32)


def _totals(images: Tensor, dtype: torch.dtype) -> Tensor:
    """Return sums over pixels, (b, n)."""
    return images.sum(tuple(range(2, images.dim())), dtype=dtype)


def _correlated(
    drawn: Iterator[tuple[ProbeColumns, Tensor, Tensor]],
    constants: Tensor | None,
    grad_output: Tensor,
    geometry: Geometry,
    layout: Layout,
    weight: Tensor,
) -> Iterator[Tensor]:
    """Yield the gradient of each part: Q contracted with the coefficients.

    The constants are the coefficients of one more probe, of ones.
    """
    kernel = weight.shape[2:]
    for part, probes, coefficients in drawn:
        some = grad_output[part.images]
        q = single.seen(probes, some, geometry, kernel)
        del probes
        if constants is not None and part.is_last:
            ones = single.seen_of_ones(some, geometry, layout, kernel)
            ones, values = _sized(ones, constants[part.images].unsqueeze(2), q.dtype)
            q, coefficients = torch.cat([q, ones], 2), torch.cat([coefficients, values], 2)
        yield single.contracted(q, coefficients, geometry, weight)
        del q


def _expanded(
    drawn: Iterator[tuple[ProbeColumns, Tensor, Tensor]],
    constants: Tensor | None,
    grad_output: Tensor,
    geometry: Geometry,
    layout: Layout,
    weight: Tensor,
) -> Iterator[Tensor]:
    """Yield the weight gradients of x̂, part by part, followed by that of the constants."""
    expanded: Tensor | None = None
    for part, probes, coefficients in drawn:
        some, is_first = grad_output[part.images], part.columns.start == 0
        expanded = layout.empty(part.images) if expanded is None else expanded
        single.expand(probes, coefficients, expanded, beta=int(not is_first))
        del probes
        if part.is_last:
            yield geometry.weight_gradient(some, expanded, weight)
            expanded = None
            if constants is not None:
                ones = single.seen_of_ones(some, geometry, layout, weight.shape[2:])
                values = constants[part.images].unsqueeze(2)
                yield single.contracted(*_sized(ones, values, layout.dtype), geometry, weight)


def _sized(q: Tensor, values: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return both factors in ``dtype``, the first scaled to at most 1 in float16."""
    if dtype != torch.float16:
        return q.to(dtype), values.to(dtype)
    largest = q.abs().amax().clamp_(min=torch.finfo(q.dtype).tiny)
    return (q / largest).to(dtype), (values * largest).to(dtype)
