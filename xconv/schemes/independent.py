"""Independent probes: every channel is probed on its own (the paper's default scheme).

Each image b of a batch has probes ``Z_b`` (N × r) of its own, which its channels share, and the
mean m of each channel is kept as it is: only what deviates from it is probed.

    S_b = (X_b - m_b 1ᵀ) Z_b,    x̂_b = m_b 1ᵀ + S_b Z_bᵀ P / r,    P = I - 1 1ᵀ / N

has the mean ``x_b``, as ``E[Z_b Z_bᵀ] = r·I`` and P does nothing to what has no mean; with P, which
takes from x̂ what the probes would add to the mean, the mean of x̂ is m, always. Neither X nor Z is
centred for it: with ``t_b = Z_bᵀ 1`` the sketch is ``X_b Z_b - m_b t_bᵀ``, and the constant part of
x̂ is ``m_b - S_b t_b / (r N)``.

The gradient of the rest: correlate the output gradient with the single-channel probes first, then
contract with the sketch,

    Q[b, o, k, j] = Σ_p δ[b, o, p] z_bj[pixel that output p sees through kernel offset k]
    dW[o, c, k]   ≈ (1/r) Σ_b Σ_j Q[b, o, k, j] S[b, c, j].

Both are matrix products; the first costs r/C of the exact weight gradient. That of the constant
part takes sums of the output gradient only.

The paper has one set of probes for all images and centres nothing (``shared``). Errors of images
that look alike then add up, where those of images with their own probes average out, and after a
ReLU most of the energy is in the mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from xconv.geometry import Geometry, pixels
from xconv.layout import Layout, is_channels_last
from xconv.precision import convolution_precision
from xconv.random import DISTRIBUTIONS
from xconv.schemes import single
from xconv.schemes.base import (
    SMALL_CHUNK,
    Probes,
    coefficients_of,
    exponent,
    stored,
    stored_dtype,
    summed,
)
from xconv.schemes.rebuilt import some_images

if TYPE_CHECKING:
    from xconv.probing import Probing
    from xconv.spectrum.plan import Plan

CACHED = {"cpu": 2**21}
"""Elements to work on together so that a CPU's cache still holds them when they are used."""
_MOST_PARTS = 64
"""Parts of a batch at the most: very large ones occur in simulations, which compute nothing."""
_COPYING = 16
"""Multiplications that take as long as copying one element of a probe into a column."""
_DIVIDED = 2
"""How many times longer a multiplication takes where the probes of an image come in parts."""


class Part(NamedTuple):
    """Some columns of the probes of some images."""

    images: slice
    columns: slice
    stream: int
    is_last: bool
    """Whether no further columns of these images follow."""


class Independent(Probes):
    """E‖error‖² ∝ 1/r whatever the number of channels, for C times multi's sketch."""

    name = "independent"

    def kept(
        self, layout: Layout, probing: Probing
    ) -> list[tuple[tuple[int, ...], torch.dtype]]:
        """Return (B, C, r), and (B, C) for the means, in float32 at least."""
        of_channels = tuple(layout.shape[:2])
        sketch = (*of_channels, probing.probes or 0), stored_dtype(layout.dtype)
        return [sketch] if probing.shared else [sketch, (of_channels, _wide(layout))]

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
        """Return seed and sketch, and the means where there are any."""
        scale = 2.0 ** -exponent(layout, pixels(layout.shape))
        sketch = input.new_empty(*layout.shape[:2], probing.probes or 0)
        means = None if probing.shared else _means(input, layout)
        with convolution_precision(input.device):
            for part in self._parts(layout, probing, weight, output):
                lines = self.draw(seed, part, layout, probing).flatten(1, -2)
                lines = lines.mul_(scale) if scale != 1 else lines
                some = single.over_pixels(input[part.images], lines)
                if means is not None:
                    sums = lines.sum(1, keepdim=True, dtype=means.dtype)
                    some = some - means[part.images].unsqueeze(2) * sums
                sketch[part.images, :, part.columns] = some
                del lines
        kept = stored(sketch, seed)
        return (seed, kept) if means is None else (seed, kept, means)

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
        """Return the gradient from the same probes, drawn again, and that of the constant part."""
        size, probes = pixels(layout.shape), probing.probes or 0
        coefficients, factor = coefficients_of(kept[0], layout, size, probes)
        excess = None if probing.shared else torch.zeros_like(kept[1])
        with convolution_precision(grad_output.device):
            drawn = self._drawn(seed, coefficients, excess, probing, layout, weight, grad_output)
            if self._expands(layout, probing, weight.shape, grad_output.shape):
                parts = _expanded(drawn, grad_output, geometry, layout, weight)
            else:
                parts = _correlated(drawn, grad_output, geometry, weight)
            total = summed(parts).mul_(factor)
            if excess is not None:
                means = kept[1] - excess.mul_(factor / size)
                for part in single.constant_gradients(means, grad_output, geometry, layout, weight):
                    total.add_(part)
        return total

    def draw(self, seed: Tensor, part: Part, layout: Layout, probing: Probing) -> Tensor:
        """Return probes, (images, *pixels, n) of unit variance; those of all images where shared,
        (1, *pixels, n)."""
        images = 1 if probing.shared else part.images.stop - part.images.start
        shape = (images, *layout.shape[2:], part.columns.stop - part.columns.start)
        numbers = DISTRIBUTIONS[probing.distribution](
            seed, part.stream, prod(shape), layout.dtype, layout.device
        )
        return numbers.view(shape)

    def _drawn(
        self,
        seed: Tensor,
        coefficients: Tensor,
        excess: Tensor | None,
        probing: Probing,
        layout: Layout,
        weight: Tensor,
        grad_output: Tensor,
    ) -> Iterator[tuple[Part, Tensor, Tensor]]:
        """Parts, their probes and coefficients, whose sums over pixels are added to ``excess``."""
        for part in self._parts(layout, probing, weight.shape, grad_output.shape):
            probes = self.draw(seed, part, layout, probing)
            some = coefficients[part.images, :, part.columns]
            if excess is not None:
                sums = probes.flatten(1, -2).sum(1, dtype=excess.dtype).unsqueeze(2)
                excess[part.images] += torch.bmm(some.to(excess.dtype), sums).squeeze(2)
            yield part, probes, some
            del probes

    def _parts(
        self, layout: Layout, probing: Probing, weight: torch.Size, output: torch.Size
    ) -> Iterator[Part]:
        """All images and all columns; some columns of one image at a time only where those of one
        image would take more than the layer's own input and output."""
        batch, probes = layout.shape[0], probing.probes or 0
        fixed, needed = 0, _correlating(1, layout, weight, output)
        room = _room(layout, output)
        together = not probing.shared
        if self._expands(layout, probing, weight, output):
            fixed, needed, together = prod(layout.shape[1:]), 2 * pixels(layout.shape), True
        images, columns = batch, probes
        if together:
            image = fixed + probes * needed
            cached = max(CACHED.get(layout.device.type, room), image * batch // _MOST_PARTS)
            images = min(batch, max(1, min(room, cached) // image))
            columns = probes if image <= room else (room - fixed) // needed
        else:
            columns = room // _correlating(batch, layout, weight, output)
        columns = min(probes, max(1, columns))
        stream = 0
        for first in range(0, batch, images):
            for start in range(0, probes, columns):
                yield Part(
                    slice(first, min(first + images, batch)),
                    slice(start, min(start + columns, probes)),
                    start if probing.shared else stream,
                    start + columns >= probes,
                )
                stream += 1

    def _expands(
        self, layout: Layout, probing: Probing, weight: torch.Size, output: torch.Size
    ) -> bool:
        """Whether forming x̂ takes less time than correlating with every probe, or is the only
        order that stays within the size of what the layer works on.

        Multiplications of both, for one image. A backend's weight gradient visits the smaller of
        both images, whichever way it convolves.
        """
        probes = probing.probes or 0
        room = _room(layout, output) + prod(weight)
        images = layout.shape[0] if probing.shared else 1
        needed = _correlating(images, layout, weight, output)
        if needed > room:
            return True
        seen = pixels(output) * prod(weight[2:]) * (output[1] + (not probing.shared) * _COPYING)
        correlating = probes * (seen + prod(weight)) * (_DIVIDED if needed * probes > room else 1)
        smaller = min(pixels(layout.shape), pixels(output))
        return probes * prod(layout.shape[1:]) + prod(weight) * smaller < correlating


def _room(layout: Layout, output: torch.Size) -> int:
    """Elements that may be needed for a moment."""
    return max(SMALL_CHUNK, prod(layout.shape) + prod(output))


def _correlating(images: int, layout: Layout, weight: torch.Size, output: torch.Size) -> int:
    """Elements for each probe of some images: itself, padded, its columns; Q of each of them, and
    the copy of Q that the contraction makes."""
    offsets = prod(weight[2:])
    seen = max(pixels(layout.shape), pixels(output))
    return 2 * seen + offsets * (pixels(output) + 2 * images * output[1])


def _wide(layout: Layout) -> torch.dtype:
    return torch.promote_types(layout.dtype, torch.float32)


def _means(input: Tensor, layout: Layout) -> Tensor:
    """(B, C), over pixels, in float32 at least; a CPU makes a copy in it of what it sums."""
    axes = tuple(range(2, input.dim()))
    return torch.cat([input[some].mean(axes, dtype=_wide(layout)) for some in some_images(layout)])


def _correlated(
    drawn: Iterator[tuple[Part, Tensor, Tensor]],
    grad_output: Tensor,
    geometry: Geometry,
    weight: Tensor,
) -> Iterator[Tensor]:
    """What each part adds: Q, and its contraction with the coefficients."""
    kernel = tuple(weight.shape[2:])
    for part, probes, coefficients in drawn:
        columns = single.columns(probes, grad_output.shape[2:], kernel, geometry)
        del probes
        q = single.over_pixels(grad_output[part.images], columns)
        del columns
        yield single.contracted(q, coefficients, geometry, weight)


def _expanded(
    drawn: Iterator[tuple[Part, Tensor, Tensor]],
    grad_output: Tensor,
    geometry: Geometry,
    layout: Layout,
    weight: Tensor,
) -> Iterator[Tensor]:
    """Weight gradients of x̂, the images of a part at a time."""
    for part, probes, coefficients in drawn:
        is_first = part.columns.start == 0
        expanded = layout.empty(part.images) if is_first else expanded
        single.expand(probes.flatten(1, -2), coefficients, expanded, beta=int(not is_first))
        del probes
        if part.is_last:
            yield geometry.weight_gradient(grad_output[part.images], expanded, weight)
            del expanded
