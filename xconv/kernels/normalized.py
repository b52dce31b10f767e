"""The gradients of a normalisation of maps, in two passes over the output gradient.

``xconv.saved.maps`` has the formulas. x̂ is never formed: each pass restores it number by number.
"""

from __future__ import annotations

from math import prod

import torch
import triton
import triton.language as tl
from torch import Tensor

from xconv.grouped import GROUP
from xconv.kernels.groups import chances_of, codes_of, four_chances
from xconv.layout import Layout

_GROUP = tl.constexpr(GROUP)
_BLOCK = 1024
"""Numbers to process together."""
_SPAN = 8192
"""Pixels of a map for each program."""
_LAST_SIDE = 32
"""Pixels to process together where channels are last."""
_MOST_COUNTED = 2**21
"""Maps and channels of more numbers are not covered: see ``xconv.kernels.groups``."""


def covers(layout: Layout) -> bool:
    """Return whether there are kernels for inputs of ``layout``: (batch, channels, *pixels)."""
    if layout.dtype not in (torch.float32, torch.float16, torch.bfloat16):
        return False
    return max(layout.shape[1], prod(layout.shape[2:])) < _MOST_COUNTED


@triton.jit
def _restored(packed, bounds, seed, map, pixel, pixels, is_there, BITS: tl.constexpr,
              FOURS: tl.constexpr):  # fmt: skip
    """Return x̂ of pixels (1, n) of maps (m, 1), and the distance of its levels."""
    element = map.to(tl.int64) * pixels + pixel
    pair = bounds + element // _GROUP * 2
    first = tl.load(pair, mask=is_there, other=0.0)
    second = tl.load(pair + 1, mask=is_there, other=0.0)
    step = tl.abs(second - first) * (1.0 / ((1 << BITS) - 1))
    codes = codes_of(packed, element, is_there, BITS)
    if FOURS:
        MAPS: tl.constexpr = map.shape[0]
        PIXELS: tl.constexpr = pixel.shape[1]
        start = tl.min(pixel, 1)[:, None] // 4 + tl.arange(0, PIXELS // 4)[None, :]
        four = (map.to(tl.int64) * pixels // 4).to(tl.int32) + start
        chances = tl.reshape(four_chances(seed, four), (MAPS, PIXELS))
    else:
        chances = chances_of(seed, element)
    is_dithered = first > second
    codes -= tl.where(is_dithered, chances - 0.5, 0.0)
    return codes * step + tl.minimum(first, second), step


@triton.jit
def _place(map, pixel, pixels, channels, LAST: tl.constexpr):
    if LAST:
        image = map // channels
        whole = image.to(tl.int64) * channels * pixels + (map - image * channels)
        return whole + pixel.to(tl.int64) * channels
    return map.to(tl.int64) * pixels + pixel


@triton.jit(do_not_specialize=["seed", "maps"])
def _sums(
    packed, bounds, deltas, sums, seed, maps, pixels, channels, BITS: tl.constexpr,
    FOURS: tl.constexpr, LAST: tl.constexpr, MAPS: tl.constexpr, PIXELS: tl.constexpr,
    SPAN: tl.constexpr,
):  # fmt: skip
    line = tl.program_id(0) * MAPS + tl.arange(0, MAPS)
    is_map = line < maps
    map = tl.where(is_map, line, 0)[:, None]
    of_deltas = tl.zeros((MAPS, PIXELS), tl.float32)
    of_products = tl.zeros((MAPS, PIXELS), tl.float32)
    for start in range(0, SPAN, PIXELS):
        pixel = (tl.program_id(1) * SPAN + start + tl.arange(0, PIXELS))[None, :]
        is_there = is_map[:, None] & (pixel < pixels)
        numbers, _ = _restored(packed, bounds, seed, map, pixel, pixels, is_there, BITS, FOURS)
        place = _place(map, pixel, pixels, channels, LAST)
        delta = tl.load(deltas + place, mask=is_there, other=0.0).to(tl.float32)
        of_deltas += delta
        of_products += tl.where(is_there, delta * numbers, 0.0)
    target = sums + tl.program_id(1) * maps + line
    tl.store(target, tl.sum(of_deltas, 1), mask=is_map)
    tl.store(target + tl.num_programs(1) * maps, tl.sum(of_products, 1), mask=is_map)


@triton.jit(do_not_specialize=["seed", "maps"])
def _finish(
    packed, bounds, deltas, target, gains, shifts, scales, seed, maps, pixels, channels, inverse,
    BITS: tl.constexpr, FOURS: tl.constexpr, CHANNELS: tl.constexpr, LAST: tl.constexpr,
    MAPS: tl.constexpr, PIXELS: tl.constexpr,
):  # fmt: skip
    line = tl.program_id(0) * MAPS + tl.arange(0, MAPS)
    is_map = line < maps
    map = tl.where(is_map, line, 0)[:, None]
    index = map % channels if CHANNELS else map
    pixel = (tl.program_id(1) * PIXELS + tl.arange(0, PIXELS))[None, :]
    is_there = is_map[:, None] & (pixel < pixels)
    numbers, step = _restored(packed, bounds, seed, map, pixel, pixels, is_there, BITS, FOURS)
    place = _place(map, pixel, pixels, channels, LAST)
    delta = tl.load(deltas + place, mask=is_there, other=0.0).to(tl.float32)
    delta *= 1.0 + step * step * (inverse / 12)
    found = delta * tl.load(gains + index) - tl.load(shifts + index)
    found -= numbers * tl.load(scales + index)
    tl.store(target + place, found.to(target.dtype.element_ty), mask=is_there)


def sums(
    packed: Tensor, bounds: Tensor, seed: int, bits: int, deltas: Tensor, layout: Layout
) -> Tensor:
    """Return the sums of δ and of δ x̂, float32: (2, parts of a map, images, channels).

    ``deltas`` lie dense in the memory order of ``layout``.
    """
    batch, channels = layout.shape[:2]
    maps, pixels, shape = _cut(layout)
    parts = triton.cdiv(pixels, _SPAN)
    found = torch.empty(2, parts, batch, channels, dtype=torch.float32, device=packed.device)
    span = triton.cdiv(min(pixels, _SPAN), shape[1]) * shape[1] if parts == 1 else _SPAN
    _sums[triton.cdiv(maps, shape[0]), parts](
        packed, bounds, deltas, found, seed, maps, pixels,
        channels, bits, pixels % 4 == 0, layout.channels_last, *shape, span, num_warps=4,
    )  # fmt: skip
    return found


def finish(
    packed: Tensor, bounds: Tensor, seed: int, bits: int, deltas: Tensor, layout: Layout,
    tables: tuple[Tensor, Tensor, Tensor], count: int,
) -> Tensor:  # fmt: skip
    """Return the gradient of the input from three ``tables``, float32, flat: gain, shift, scale.

    It is δ (1 + v/count) gain − shift − x̂ scale. Tables have a number for each channel or for each
    map.
    """
    channels = layout.shape[1]
    maps, pixels, shape = _cut(layout)
    target = layout.empty(slice(0, layout.shape[0]))
    _finish[triton.cdiv(maps, shape[0]), triton.cdiv(pixels, shape[1])](
        packed, bounds, deltas, target, *tables, seed, maps,
        pixels, channels, 1 / count, bits, pixels % 4 == 0, tables[0].numel() == channels,
        layout.channels_last, *shape, num_warps=4,
    )  # fmt: skip
    return target


def _cut(layout: Layout) -> tuple[int, int, tuple[int, int]]:
    """Return the number of maps, of pixels, and how many of both a program has at a time."""
    pixels = prod(layout.shape[2:])
    most = _LAST_SIDE if layout.channels_last else _BLOCK
    side = min(most, max(4, 1 << (pixels - 1).bit_length()))
    return layout.shape[0] * layout.shape[1], pixels, (_BLOCK // side, side)
