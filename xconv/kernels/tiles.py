"""Positions of coefficients and pixels, as several kernels compute them.

A column is one block of one channel of one image. 64 neighbouring columns make a tile, and a tile's
numbers at one frequency are a group, which is rounded together. Columns follow each other in the
memory order of the maps: images, channels, blocks, or images, blocks, channels for channels-last. A
row is a kept frequency; rows of few bits come first. Maps of one or two sides count as maps of
three, whose first sides are 1.
"""

import triton
import triton.language as tl

from xconv.spectrum.rounding import GROUP, STEPS

GROUP_ = tl.constexpr(GROUP)
TINY = tl.constexpr(2.0**-126)
"""The smallest normal float32 number, which replaces 0 in a division."""
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
    """Return the positions (int32) of a tile's pixels, and whether block and map have them.

    All are (GROUP, n), or (n, GROUP) for ``LAST``; positions count from image ``first``. ``FULL``
    means that channels are last and a multiple of GROUP, so that a tile has one block of
    neighbouring channels. Each number is computed in a tensor as small as possible, and none is
    divided by a number unknown to the compiler: that would take longer than all the rest.
    """
    member = tl.arange(0, GROUP_)
    if LAST:
        if FULL:
            channels = channels // GROUP_ * GROUP_  # tells the compiler that it is a multiple
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
    """Return the same as ``places`` within one map.

    Lines of a block are numbered as if they had ``WIDTH`` pixels, a power of two. If blocks extend
    over an ``EDGE``, pixels beyond it have the position of the last one before it.
    """
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
    """Return float32 ``values`` rounded to nearest in TF32, for products in TF32.

    Matrix units cut off the bits that they do not take, which would make everything smaller.
    """
    if PRECISION == "tf32":
        bits = values.to(tl.int32, bitcast=True)
        nearest = ((bits + 0x1000) & -0x2000).to(tl.float32, bitcast=True)
        values = tl.where(values == values, nearest, values)
    return values


@triton.jit
def bits_of(row, end_1, end_2, end_3, end_4, end_8):
    """Return the bits of a number in each ``row``, and the bits of all rows before it together.

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
    """Return the position in bytes (int64) of scale ``number``, and whether it has 16 bits.

    Positions count from the end of all codes. Scales before ``narrow`` have 8 bits.
    """
    return number.to(tl.int64) + tl.maximum(number - narrow, 0), number >= narrow


@triton.jit
def top_of(is_wide):
    """Return the code (float32) of the largest scale."""
    return tl.where(is_wide, 65535.0, 255.0)


@triton.jit
def octave_of(is_wide):
    """Return the number of codes (float32) between a scale and one twice as large."""
    return tl.where(is_wide, 4096.0, 16.0)


@triton.jit
def level(codes, is_wide):
    """Return the scales for ``codes`` (float32), relative to the largest."""
    power = (codes - top_of(is_wide)) / octave_of(is_wide)
    return tl.exp2(power) * (codes > 0).to(tl.float32)
