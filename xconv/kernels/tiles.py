"""How coefficients and pixels lie: what several kernels compute alike.

A column is one block of one channel of one image; 64 neighbouring columns make a tile, and what a
tile has of one frequency is a group of numbers that are rounded together. Columns follow each
other as the maps lie in memory: images, channels, blocks, or images, blocks, channels where
channels are last. A row is a kept frequency; rows of few bits come first. Maps of one or two sides
count as maps of three, the first sides being 1.
"""

import triton
import triton.language as tl

from xconv.spectrum.rounding import GROUP, STEPS

GROUP_ = tl.constexpr(GROUP)
TINY = tl.constexpr(2.0**-126)
"""The smallest normal number of float32: in place of 0 where it would be divided by."""
STEP_1 = tl.constexpr(STEPS[1])
STEP_2 = tl.constexpr(STEPS[2])
STEP_3 = tl.constexpr(STEPS[3])
STEP_4 = tl.constexpr(STEPS[4])
STEP_8 = tl.constexpr(STEPS[8])
STEP_16 = tl.constexpr(STEPS[16])


@triton.jit
def places(
    group, pixel, first, channels, length_0, length_1, length_2,
    SIDE_0: tl.constexpr, SIDE_1: tl.constexpr, SIDE_2: tl.constexpr, NUMBER: tl.constexpr,
    COUNT_1: tl.constexpr, COUNT_2: tl.constexpr, WIDTH: tl.constexpr, LAST: tl.constexpr,
    FULL: tl.constexpr, EDGE: tl.constexpr,
):  # fmt: skip
    """Return where the pixels of a tile's blocks lie from image ``first`` on (int32), whether a
    block has these pixels, and whether the map has them: (GROUP, n), or (n, GROUP) for ``LAST``.

    ``FULL``: channels are last and a multiple of GROUP, so that a tile has one block of
    neighbouring ones. Each of these numbers is formed where it has as few elements as may be, and
    none is divided by what the compiler does not know: that would take longer than all the rest.
    """
    member = tl.arange(0, GROUP_)
    if LAST:
        if FULL:
            channels = channels // GROUP_ * GROUP_  # tells the compiler
            start = group * GROUP_
            line = start // channels
            place = (start - line * channels + member)[None, :]
        else:
            column = (group * GROUP_ + member)[None, :]
            line = column // channels
            place = column - line * channels
        stride = channels
        block, map = line % NUMBER, line // NUMBER - first
        pixel = pixel[:, None]
    else:
        column = (group * GROUP_ + member)[:, None]
        block, map = column % NUMBER, column // NUMBER - first * channels
        place, stride = 0, 1
        pixel = pixel[None, :]
    place += map * (length_0 * length_1 * length_2 * stride)
    own, is_pixel, is_inside = _places_in_map(
        block, pixel, stride, length_0, length_1, length_2,
        SIDE_0, SIDE_1, SIDE_2, COUNT_1, COUNT_2, WIDTH, EDGE,
    )  # fmt: skip
    return place + own, is_pixel, is_inside


@triton.jit
def _places_in_map(
    block, pixel, stride_2, length_0, length_1, length_2,
    SIDE_0: tl.constexpr, SIDE_1: tl.constexpr, SIDE_2: tl.constexpr,
    COUNT_1: tl.constexpr, COUNT_2: tl.constexpr, WIDTH: tl.constexpr, EDGE: tl.constexpr,
):  # fmt: skip
    """Return the same in one map. Lines of a block are numbered as if they had ``WIDTH`` pixels, a
    power of two. Where blocks reach over an ``EDGE``, pixels beyond it have the place of the last
    one before it."""
    stride_1 = length_2 * stride_2
    stride_0 = length_1 * stride_1
    block_0, block_1 = block // (COUNT_1 * COUNT_2), (block % (COUNT_1 * COUNT_2)) // COUNT_2
    block_2 = block % COUNT_2
    pixel_1, pixel_2 = pixel // WIDTH, pixel % WIDTH
    pixel_0, pixel_1 = pixel_1 // SIDE_1, pixel_1 % SIDE_1
    is_pixel = (pixel_2 < SIDE_2) & (pixel_0 < SIDE_0)
    is_inside = is_pixel
    if EDGE:
        at_0 = block_0 * SIDE_0 + pixel_0
        at_1 = block_1 * SIDE_1 + pixel_1
        at_2 = block_2 * SIDE_2 + pixel_2
        is_inside = is_inside & (at_0 < length_0) & (at_1 < length_1) & (at_2 < length_2)
        place = tl.minimum(at_0, length_0 - 1) * stride_0
        place += tl.minimum(at_1, length_1 - 1) * stride_1
        place += tl.minimum(at_2, length_2 - 1) * stride_2
    else:
        corner = block_0 * (SIDE_0 * stride_0) + block_1 * (SIDE_1 * stride_1)
        corner += block_2 * (SIDE_2 * stride_2)
        place = corner + (pixel_0 * stride_0 + pixel_1 * stride_1 + pixel_2 * stride_2)
    return place, is_pixel, is_inside


@triton.jit
def rounded(values, PRECISION: tl.constexpr):
    """Return float32 ``values`` rounded to the nearest of TF32 for products in TF32: matrix units
    cut off the bits that they do not take, which would make everything smaller."""
    if PRECISION == "tf32":
        bits = values.to(tl.int32, bitcast=True)
        nearest = ((bits + 0x1000) & -0x2000).to(tl.float32, bitcast=True)
        values = tl.where(values == values, nearest, values)
    return values


@triton.jit
def bits_of(row, end_1, end_2, end_3, end_4, end_8):
    """Return the bits of a number in each ``row``, and those of all rows before it together.

    The rows of 1, 2, 3, 4 and 8 bits end before ``end_1`` … ``end_8``; the rest has 16.
    """
    bits = tl.where(row < end_4, 4, tl.where(row < end_8, 8, 16))
    bits = tl.where(row < end_2, 2, tl.where(row < end_3, 3, bits))
    bits = tl.where(row < end_1, 1, bits)
    before = tl.minimum(row, end_1)
    before += 2 * (tl.minimum(tl.maximum(row, end_1), end_2) - end_1)
    before += 3 * (tl.minimum(tl.maximum(row, end_2), end_3) - end_2)
    before += 4 * (tl.minimum(tl.maximum(row, end_3), end_4) - end_3)
    before += 8 * (tl.minimum(tl.maximum(row, end_4), end_8) - end_4)
    before += 16 * (tl.maximum(row, end_8) - end_8)
    return bits, before.to(tl.int64)


@triton.jit
def steps_of(bits):
    """Return the distance of the levels for standard normal numbers."""
    step = tl.where(bits == 4, STEP_4, tl.where(bits == 8, STEP_8, STEP_16))
    step = tl.where(bits == 2, STEP_2, tl.where(bits == 3, STEP_3, step))
    return tl.where(bits == 1, STEP_1, step)


@triton.jit
def place_of_scale(number, narrow):
    """Return where, behind all codes, the scale with this ``number`` lies, in bytes (int64), and
    whether it has 16 bits: those before ``narrow`` have 8."""
    return number.to(tl.int64) + tl.maximum(number - narrow, 0), number >= narrow


@triton.jit
def top_of(is_wide):
    """Return the code (float32) of the largest scale."""
    return tl.where(is_wide, 65535.0, 255.0)


@triton.jit
def octave_of(is_wide):
    """Return how many codes (float32) lie between a scale and twice as large a one."""
    return tl.where(is_wide, 4096.0, 16.0)


@triton.jit
def level(codes, is_wide):
    """Return what ``codes`` (float32) of scales stand for, relative to the largest."""
    power = (codes - top_of(is_wide)) / octave_of(is_wide)
    return tl.exp2(power) * (codes > 0).to(tl.float32)
