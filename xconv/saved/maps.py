"""Normalisation of maps, whose gradients need the normalised input x̂ only through sums.

These are BatchNorm, InstanceNorm and GroupNorm: of (batch, channels, *pixels), N numbers share a
mean and a standard deviation σ, and each channel has its γ. With d = γ δ, δ the output gradient,

    dγ = Σ δ x̂,    dx_i = (d_i − mean(d) − x̂_i mean(d x̂)) / σ.

Kept is x̂ + e with a dither e of mean 0 and known variance v, independent from number to number. dγ
is linear in x̂, so it is unbiased. The last term of dx contains the same e twice, so its bias is
E[e_i mean(d e)] = d_i v_i / N, which is added back:

    dx_i = (d_i (1 + v_i / N) − mean(d) − (x̂_i + e_i) mean(d (x̂ + e))) / σ.

The first of two passes only needs sums of δ and of δ x̂ over each map. If statistics are given and
not taken from the input, dx = d / σ needs no x̂ at all. Where ``xconv.kernels.normalized`` has
kernels, each pass is one; so it is on a CPU with those of ``native_maps``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor

from xconv.grouped import whole_groups
from xconv.kernels import choice
from xconv.layout import Layout
from xconv.saved import native_maps
from xconv.saved.map_sets import MapSets
from xconv.saved.stand_in import StandIn, at_a_time, slices, wide

Exchange = Callable[[Tensor], tuple[Tensor, Tensor]]
"""A function from the sums of one process to those of all, and the count of their numbers."""


@dataclass(frozen=True)
class NormalizedMaps(MapSets):
    """Maps of (batch, channels, *pixels) that are normalised in sets."""

    def sizes(self, layout: Layout) -> list[int]:
        """Return the number of elements of each part that is processed."""
        pixels = prod(layout.shape[2:])
        return [
            (images.stop - images.start) * (channels.stop - channels.start) * pixels
            for images, channels in _parts(layout)
        ]

    def empty(self, layout: Layout) -> Tensor:
        """Return a new tensor in the layout of the input."""
        return layout.empty(slice(0, layout.shape[0]))

    def keep(
        self, input: Tensor, mean: Tensor | None, rstd: Tensor, seed: Tensor, bits: int
    ) -> StandIn:
        """Return a stand-in for the normalised input x̂.

        ``mean`` and ``rstd`` = 1/σ are those that ``input`` was normalised with: one for each
        group, or for each group of each image.
        """
        layout = Layout.of(input)
        assert mean is not None
        kept = StandIn.empty(self.sizes(layout), bits, seed, input)
        kernels = _kernels(kept, layout)
        if kernels is not None:
            kernels.keep(kept, input.detach(), mean, rstd, self)
            return kept
        shift, scale = (self.of_maps(s.to(wide(s.dtype)), layout.shape) for s in (mean, rstd))
        if native_maps.keep(kept, input.detach(), (shift, scale)):
            return kept
        for part, (images, channels) in enumerate(_parts(layout)):
            values, flat = kept.room(part)
            maps = _maps(input, images, channels)
            target = flat.view(maps.shape)
            torch.sub(maps, shift[images, channels, None], out=target)
            target.mul_(scale[images, channels, None])
            del maps
            kept.write(part, values)
        return kept

    def gradients(
        self,
        kept: StandIn,
        grad_output: Tensor,
        weight: Tensor | None,
        rstd: Tensor,
        layout: Layout,
        needs_input: bool,
        exchange: Exchange | None = None,
    ) -> tuple[Tensor | None, Tensor, Tensor]:
        """Return the gradients of the input, of γ and of β.

        The first has the dtype of the input, and is None unless needed. The others are (channels)
        in float32 at least.
        """
        kernels = _kernels(kept, layout) if exchange is None else None
        if kernels is not None:
            found: tuple[Tensor | None, Tensor, Tensor]
            found = kernels.gradients(kept, grad_output, weight, rstd, layout, needs_input, self)
            return found
        result = self.empty(layout) if needs_input else None
        sums = _sums(kept, grad_output, layout, result)
        if result is not None:
            gain = torch.ones_like(sums[0]) if weight is None else weight.to(sums.dtype)
            means = self.pooled(sums * gain)
            count: int | Tensor = self.count(layout.shape)
            if exchange is not None:
                means, count = exchange(means)
            spread = self.of_maps(rstd.to(sums.dtype), layout.shape)
            shift, scale = (self.of_maps(means / count, layout.shape, 2) * spread).unbind()
            _finish(kept, grad_output, layout, result, count, (gain * spread, shift, scale))
        return result, sums[1].sum(0), sums[0].sum(0)


def _sums(kept: StandIn, grad_output: Tensor, layout: Layout, result: Tensor | None) -> Tensor:
    """Return the sums of δ and of δ x̂ over each map, (2, images, channels).

    x̂ is left in ``result``.
    """
    tables = grad_output.new_empty(2, *layout.shape[:2], dtype=wide(layout.dtype))
    if native_maps.sums(kept, grad_output, result, tables):
        return tables
    for part, (images, channels) in enumerate(_parts(layout)):
        deltas = _maps(grad_output, images, channels)
        numbers = kept.read(part).view(deltas.shape)
        if result is not None:
            _target(result, images, channels).copy_(numbers)
        tables[0, images, channels] = deltas.sum(2, dtype=tables.dtype)
        tables[1, images, channels] = numbers.mul_(deltas).sum(2, dtype=tables.dtype)
        del deltas, numbers
    return tables


def _finish(
    kept: StandIn,
    grad_output: Tensor,
    layout: Layout,
    result: Tensor,
    count: int | Tensor,
    tables: tuple[Tensor, Tensor, Tensor],
) -> None:
    """Turn the x̂ in ``result`` into the gradient of the input.

    It is δ (1 + v/N) times the first of three ``tables`` (images, channels), minus the second,
    minus x̂ times the third.
    """
    if native_maps.finish(kept, grad_output, result, count, tables):
        return
    for part, (images, channels) in enumerate(_parts(layout)):
        gain, shift, scale = (table[images, channels, None] for table in tables)
        deltas = _maps(grad_output, images, channels)
        values = kept.variances(part).view(deltas.shape).to(gain.dtype)
        values.div_(count).add_(1).mul_(deltas).mul_(gain).sub_(shift)
        del deltas
        target = _target(result, images, channels)
        target.copy_(values.addcmul_(target.to(values.dtype), scale, value=-1))
        del values


def _parts(layout: Layout) -> list[tuple[slice, slice]]:
    """Return slices of images and channels: some whole images, or some channels of one."""
    batch, channels = layout.shape[:2]
    pixels = prod(layout.shape[2:])
    maps = at_a_time(layout.device) // pixels
    images = maps // channels
    if layout.device.type != "cpu":  # kernels take parts of whole groups only
        images = whole_groups(images, channels * pixels)
    return [
        (some_images, some)
        for some_images in slices(batch, images)
        for some in slices(channels, channels if maps > channels else maps)
    ]


def _kernels(kept: StandIn, layout: Layout) -> Any:
    """Return the module that keeps and restores the stand-in as a whole, or None."""
    if not choice.is_claimed(kept.seed):
        return None
    from xconv.saved import kernel_maps

    return kernel_maps if kernel_maps.covers(kept, layout) else None


def _maps(tensor: Tensor, images: slice, channels: slice) -> Tensor:
    """Return some maps of ``tensor``, (images, channels, pixels)."""
    some = tensor[images, channels]
    return some.reshape(*some.shape[:2], -1)


def _target(tensor: Tensor, images: slice, channels: slice) -> Tensor:
    """Return some maps of a dense tensor, as a view to write to."""
    some = tensor[images, channels]
    return some.view(*some.shape[:2], -1)
