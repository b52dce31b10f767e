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
def columns(column, channels, number, count_1, count_2, LAST: tl.constexpr):
    """Return image, channel and block, along three sides, of each ``column``."""
    if LAST:
        channel, rest = column % channels, column // channels
        block, image = rest % number, rest // number
    else:
        block, rest = column % number, column // number
        channel, image = rest % channels, rest // channels
    plane = count_1 * count_2
    return image, channel, block // plane, (block % plane) // count_2, block % count_2


@triton.jit
def places(
    block_0, block_1, block_2, pixel, stride_0, stride_1, stride_2, length_0, length_1, length_2,
    SIDE_1: tl.constexpr, SIDE_2: tl.constexpr, SIDE_0: tl.constexpr,
):  # fmt: skip
    """Return where in a map the pixels of blocks lie, and whether they do; those over an edge have
    the place of the last pixel before it."""
    at_0 = block_0 * SIDE_0 + pixel // (SIDE_1 * SIDE_2)
    at_1 = block_1 * SIDE_1 + (pixel // SIDE_2) % SIDE_1
    at_2 = block_2 * SIDE_2 + pixel % SIDE_2
    inside = (at_0 < length_0) & (at_1 < length_1) & (at_2 < length_2)
    inside = inside & (pixel < SIDE_0 * SIDE_1 * SIDE_2)
    at_0 = tl.minimum(at_0, length_0 - 1)
    at_1 = tl.minimum(at_1, length_1 - 1)
    at_2 = tl.minimum(at_2, length_2 - 1)
    return at_0 * stride_0 + at_1 * stride_1 + at_2 * stride_2, inside


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
