"""Numbers rounded by group, as ``xconv.grouped`` does it, in one pass over them.

A group is 256 numbers that follow each other; where several calls round one tensor, ``first_group``
is the number of a call's first group. Random numbers are those of Philox 4×32, four words at a
time: word k of the j-th four belongs to number 4j + k of the tensor, its upper 24 bits are r.
Values are computed in float32, whatever the dtype of the numbers.

Numbers may be normalised on the way: number e of (images, channels, pixels) belongs to map e //
pixels. A division by a number that the compiler does not know takes longer than all the rest, so
there is one for each group; the numbers of a group then count, by products with an inverse, how
many maps further they lie.
"""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

from xconv.grouped import GROUP
from xconv.kernels.prepare import GROUP_STREAM, uniform
from xconv.kernels.tiles import TINY

_GROUP = tl.constexpr(GROUP)
_STREAM = tl.constexpr(GROUP_STREAM)
_ROWS = 4
"""Groups for each program."""
_WARPS = 4


@triton.jit
def four_chances(seed, four):
    """Return r of the numbers of each ``four``: (…, 2, 2), number 2x + y at [x, y].

    They are uniform in [0, 1).
    """
    zero = four * 0
    a, b, c, d = tl.philox(seed, four, zero + _STREAM, zero, zero)
    return tl.join(tl.join(uniform(a), uniform(c)), tl.join(uniform(b), uniform(d)))


@triton.jit
def chances_of(seed, element):
    """Return r of each ``element``, wherever it lies; that takes longer than four at a time."""
    four = (element // 4).to(tl.int32)
    zero = four * 0
    a, b, c, d = tl.philox(seed, four, zero + _STREAM, zero, zero)
    place = element % 4
    word = tl.where(place < 2, tl.where(place == 0, a, b), tl.where(place == 2, c, d))
    return uniform(word)


@triton.jit
def codes_of(packed, element, is_there, BITS: tl.constexpr):
    """Return the codes of elements, which count from the first byte of ``packed``, float32."""
    PER: tl.constexpr = 8 // BITS
    byte = tl.load(packed + element // PER, mask=is_there, other=0).to(tl.int32)
    shift = (element % PER).to(tl.int32) * BITS
    return ((byte >> shift) & ((1 << BITS) - 1)).to(tl.float32)


@triton.jit
def _count(number, size):
    """Return ``number // size`` for whole numbers below 2²¹, by a product."""
    return ((number.to(tl.float32) + 0.5) * (1.0 / size)).to(tl.int32)


@triton.jit
def _places(start, own, pixels, channels, LAST: tl.constexpr):
    """Return map, channel and place in memory of the numbers ``start + own``."""
    map = start // pixels
    pixel = (start - map * pixels).to(tl.int32)[:, None, None] + own
    further = _count(pixel, pixels)
    image = map // channels
    channel = (map - image * channels).to(tl.int32)[:, None, None] + further
    images = _count(channel, channels)
    channel -= images * channels
    place = start[:, None, None] + own
    if LAST:
        whole = (image[:, None, None] + images).to(tl.int64) * channels
        place = (whole * pixels) + (pixel - further * pixels).to(tl.int64) * channels + channel
    return map.to(tl.int32)[:, None, None] + further, channel, place


@triton.jit(do_not_specialize=["seed", "first_group"])
def _encode(
    source, packed, bounds, shifts, scales, seed, first_group, count, pixels, channels,
    BITS: tl.constexpr, DITHERED: tl.constexpr, CHOOSES: tl.constexpr, STATISTICS: tl.constexpr,
    LAST: tl.constexpr, ROWS: tl.constexpr,
):  # fmt: skip
    PER: tl.constexpr = 8 // BITS
    BYTES: tl.constexpr = _GROUP // PER
    MOST: tl.constexpr = (1 << BITS) - 1
    group = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    is_group = group.to(tl.int64) * _GROUP < count
    group = tl.where(is_group, group, 0)
    start = group.to(tl.int64) * _GROUP
    byte, code = tl.arange(0, BYTES)[None, :, None], tl.arange(0, PER)[None, None, :]
    left = tl.minimum(count - 1 - start, _GROUP).to(tl.int32)[:, None, None]
    own = tl.minimum(byte * PER + code, left)  # the last number is repeated
    if STATISTICS == "none":
        values = tl.load(source + (start[:, None, None] + own)).to(tl.float32)
    else:
        map, channel, place = _places(start, own, pixels, channels, LAST)
        index = channel if STATISTICS == "channels" else map
        values = tl.load(source + place).to(tl.float32) - tl.load(shifts + index)
        values *= tl.load(scales + index)
    low = tl.min(tl.min(values, 2), 1)
    high = tl.max(tl.max(values, 2), 1)
    has_nan = tl.max(tl.max((values != values).to(tl.int32), 2), 1) > 0
    low, high = tl.where(has_nan, float("nan"), low), tl.where(has_nan, float("nan"), high)
    span = tl.maximum(high - low, TINY)
    levels = (values - low[:, None, None]) / span[:, None, None] * MOST
    is_dithered = is_group
    if CHOOSES:
        fractions = levels - tl.floor(levels)
        noise = tl.sum(tl.sum(fractions - fractions * fractions, 2), 1)
        is_dithered = noise > _GROUP / 12
    if CHOOSES or DITHERED:
        low, high = tl.where(is_dithered, high, low), tl.where(is_dithered, low, high)
    four = (first_group + group)[:, None] * (_GROUP // 4) + tl.arange(0, _GROUP // 4)[None, :]
    chances = tl.reshape(four_chances(seed, four), (ROWS, BYTES, PER))
    levels = tl.floor(levels + chances)
    levels = tl.minimum(tl.maximum(levels, 0.0), MOST)
    codes = tl.sum(levels.to(tl.int32) << (code * BITS), 2).to(tl.uint8)
    target = start[:, None] // PER + tl.arange(0, BYTES)[None, :]
    tl.store(packed + target, codes, mask=is_group[:, None])
    tl.store(bounds + 2 * group, low, mask=is_group)
    tl.store(bounds + 2 * group + 1, high, mask=is_group)


@triton.jit(do_not_specialize=["seed", "first_group"])
def _decode(
    packed, bounds, target, seed, first_group, groups, scale, BITS: tl.constexpr, ROWS: tl.constexpr
):
    group = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    is_group = (group < groups)[:, None]
    first = tl.load(bounds + 2 * group[:, None], mask=is_group, other=0.0)
    second = tl.load(bounds + 2 * group[:, None] + 1, mask=is_group, other=0.0)
    step = tl.abs(second - first) * (scale / ((1 << BITS) - 1))
    low = tl.minimum(first, second) * scale
    is_dithered = first > second
    element = group.to(tl.int64)[:, None] * _GROUP + tl.arange(0, _GROUP)[None, :]
    codes = codes_of(packed, element, is_group, BITS)
    four = (first_group + group)[:, None] * (_GROUP // 4) + tl.arange(0, _GROUP // 4)[None, :]
    chances = tl.reshape(four_chances(seed, four), (ROWS, _GROUP))
    codes -= tl.where(is_dithered, chances - 0.5, 0.0)
    tl.store(target + element, codes * step + low, mask=is_group)


def encode(
    source: Tensor, packed: Tensor, bounds: Tensor, seed: int, first_group: int, bits: int,
    dithered: bool | None,
) -> None:  # fmt: skip
    """Write packed numbers and bounds of the numbers of ``source``, which is dense and flat.

    ``dithered`` is that of ``xconv.grouped.encode``.
    """
    _encode[_grid(bounds)](
        source, packed, bounds, source, source, seed, first_group, source.numel(), 1, 1, bits,
        bool(dithered), dithered is None, "none", False, _ROWS, num_warps=_WARPS,
    )  # fmt: skip


def encode_normalized(
    source: Tensor, packed: Tensor, bounds: Tensor, shifts: Tensor, scales: Tensor, seed: int,
    bits: int, channels_last: bool,
) -> None:  # fmt: skip
    """Write packed numbers and bounds of ``(source − shifts) scales``, all dithered.

    ``source`` (images, channels, *pixels) is contiguous, or has its channels last; groups follow
    the order of a contiguous one. The other two are float32, flat, one number for each channel or
    for each map.
    """
    images, channels = source.shape[:2]
    statistics = "channels" if shifts.numel() == channels else "maps"
    pixels = source.numel() // (images * channels)
    _encode[_grid(bounds)](
        source, packed, bounds, shifts, scales, seed, 0, source.numel(), pixels, channels, bits,
        True, False, statistics, channels_last, _ROWS, num_warps=_WARPS,
    )  # fmt: skip


def decode(
    packed: Tensor,
    bounds: Tensor,
    target: Tensor,
    seed: int,
    first_group: int,
    bits: int,
    scale: float,
) -> None:
    """Write ``scale`` x̂ to ``target`` (groups, GROUP), as ``xconv.grouped.decode`` returns it."""
    _decode[_grid(bounds)](
        packed, bounds, target, seed, first_group, len(bounds), scale, bits, _ROWS, num_warps=_WARPS
    )


def _grid(bounds: Tensor) -> tuple[int]:
    return (triton.cdiv(len(bounds), _ROWS),)
