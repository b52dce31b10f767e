"""The input restored from what ``sketch`` kept: unpacked, turned back and transformed.

A program handles the 64 columns of a tile and some of the pixels of their blocks.
"""

from __future__ import annotations

from math import ceil

import triton
import triton.language as tl
from torch import Tensor

from xconv.kernels.tiles import GROUP_, TINY, bits_of, level, place_of_scale, places
from xconv.kernels.tiling import Program, Tiling
from xconv.spectrum.rounding import GROUP

PROGRAMS = {
    "tf32": Program(rows=32, pixels=256, warps=8, stages=2),
    "tf32x3": Program(rows=32, pixels=128, warps=4, stages=2),
}
"""Sizes of programs, by the precision of products.

Products in TF32 take float16 numbers, which have as many bits.
"""


@triton.jit
def _unpack(codes, bits, member):
    """Return the numbers of a group (ROWS, GROUP), float32, centred, at ``codes`` (ROWS)."""
    bit = member[None, :] * bits[:, None]
    place = codes[:, None] + (bit >> 3)
    shift = bit & 7
    word = tl.load(place).to(tl.int32)
    word |= tl.load(place + 1, mask=shift + bits[:, None] > 8, other=0).to(tl.int32) << 8
    number = (word >> shift) & ((1 << bits[:, None]) - 1)
    number = tl.where(bits[:, None] == 16, number ^ 0x8000, number)  # 16-bit codes are signed
    return number.to(tl.float32) - ((1 << (bits - 1)).to(tl.float32) - 0.5)[:, None]


@triton.jit
def _scales(scales, number, narrow):
    """Return the scales (float32) with these numbers, relative to the largest."""
    place, is_wide = place_of_scale(number, narrow)
    code = tl.load(scales + place).to(tl.int32)
    code |= tl.load(scales + place + 1, mask=is_wide, other=0).to(tl.int32) << 8
    code = tl.where(is_wide, code ^ 0x8000, code)
    return level(code.to(tl.float32), is_wide)


@triton.jit
def _largest(place, most):
    """Return the number (float32) in the four bytes at ``place``, at most ``most``; NaN stays."""
    byte = tl.arange(0, 4)
    number = tl.sum(tl.load(place + byte).to(tl.int32) << (8 * byte), 0)
    number = number.to(tl.float32, bitcast=True)
    return tl.where(number > most, most, number)


@triton.jit
def _most(codes, group, groups, kept, end_4, ROWS: tl.constexpr):
    """Return an upper bound of the numbers of a tile, relative to the largest scale."""
    most = 0.0
    for start in range(0, kept, ROWS):
        row = tl.minimum(start + tl.arange(0, ROWS), kept - 1)
        scale = _scales(codes, row * groups + group, end_4 * groups)
        most = tl.maximum(most, tl.max(scale, 0))
    return tl.maximum(most, TINY)


@triton.jit
def _pixels(
    codes, basis, frequencies, turn, group, groups, pixel, kept,
    end_1, end_2, end_3, end_4, end_8, largest_scale, code_bytes, LENGTH: tl.constexpr,
    ROWS: tl.constexpr, CHUNK: tl.constexpr, LAST: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Return some pixels of a tile's blocks, (GROUP, CHUNK), or (CHUNK, GROUP) for ``LAST``.

    Basis images and the rotation multiply the codes from two sides, so all pixels are turned at
    once.
    """
    member = tl.arange(0, GROUP_)
    scales, narrow = codes + code_bytes, end_4 * groups
    end, _ = place_of_scale(kept * groups, narrow)
    largest = _largest(scales + end, largest_scale)
    most = 1.0
    if PRECISION == "tf32":  # operands are float16, whose range is small
        most = _most(scales, group, groups, kept, end_4, ROWS)
    if LAST:
        found = tl.zeros((CHUNK, GROUP_), tl.float32)
    else:
        found = tl.zeros((GROUP_, CHUNK), tl.float32)
    for start in range(0, kept, ROWS):
        row = start + tl.arange(0, ROWS)
        is_row = row < kept
        row = tl.minimum(row, kept - 1)
        bits, before = bits_of(row, end_1, end_2, end_3, end_4, end_8)
        place = codes + (before * groups + group * bits) * (GROUP_ // 8)
        scale = _scales(scales, row * groups + group, narrow) / (1 << (bits - 1)).to(tl.float32)
        scale = scale / most
        numbers = _unpack(place, bits, member) * tl.where(is_row, scale, 0.0)[:, None]
        frequency = tl.load(frequencies + row).to(tl.int32)
        matrix = tl.load(basis + frequency[:, None] * LENGTH + pixel[None, :])
        numbers = numbers.to(basis.dtype.element_ty)
        if LAST:
            found = tl.dot(tl.trans(matrix), numbers, found, input_precision=PRECISION)
        else:
            found = tl.dot(tl.trans(numbers), matrix, found, input_precision=PRECISION)
    found = found.to(turn.dtype.element_ty)
    if LAST:
        rotation = tl.load(turn + member[:, None] * GROUP_ + member[None, :])
        found = tl.dot(found, rotation, input_precision=PRECISION)
    else:
        inverse = tl.load(turn + member[None, :] * GROUP_ + member[:, None])
        found = tl.dot(inverse, found, input_precision=PRECISION)
    return found * (most * largest)


@triton.jit(
    do_not_specialize=[
        "first", "start", "end", "groups", "code_bytes", "largest_scale", "kept", "end_1", "end_2",
        "end_3", "end_4", "end_8", "channels", "length_0", "length_1", "length_2",
    ]
)  # fmt: skip
def _rebuild(
    output, codes, basis, frequencies, turn, first, start, end, groups, code_bytes, largest_scale,
    kept, end_1, end_2, end_3, end_4, end_8, channels, length_0, length_1, length_2,
    SIDE_0: tl.constexpr, SIDE_1: tl.constexpr, SIDE_2: tl.constexpr, NUMBER: tl.constexpr,
    COUNT_1: tl.constexpr, COUNT_2: tl.constexpr, WIDTH: tl.constexpr, LAST: tl.constexpr,
    FULL: tl.constexpr, EDGE: tl.constexpr, ROWS: tl.constexpr, CHUNK: tl.constexpr,
    LENGTH: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    group = start // GROUP_ + tl.program_id(0)
    pixel = tl.program_id(1) * CHUNK + tl.arange(0, CHUNK)
    found = _pixels(
        codes, basis, frequencies, turn, group, groups, pixel, kept,
        end_1, end_2, end_3, end_4, end_8, largest_scale, code_bytes, LENGTH,
        ROWS, CHUNK, LAST, PRECISION,
    )  # fmt: skip
    place, _, mask = places(
        group, pixel, first, channels, length_0, length_1, length_2,
        SIDE_0, SIDE_1, SIDE_2, NUMBER, COUNT_1, COUNT_2, WIDTH, LAST, FULL, EDGE,
    )  # fmt: skip
    # With FULL no tile belongs to two images, and a store without a mask writes several at once.
    if not FULL:
        column = group * GROUP_ + tl.arange(0, GROUP_)
        is_column = (column >= start) & (column < end)
        mask = mask & (is_column[None, :] if LAST else is_column[:, None])
    tl.store(output + place, found.to(output.dtype.element_ty), mask=mask)


def rebuild(
    output: Tensor,
    images: slice,
    tiling: Tiling,
    frequencies: Tensor,
    turn: Tensor,
    packed: Tensor,
    largest: float,
    precision: str,
) -> None:
    """Write some ``images`` of x̂ to ``output``, with no scale above ``largest``.

    ``packed`` was written by ``sketch`` and ``round_scales``; ``turn`` is the rotation.
    """
    an_image = tiling.columns // tiling.layout.shape[0]
    start, end = images.start * an_image, images.stop * an_image
    tiles = ceil(end / GROUP) - start // GROUP
    program = PROGRAMS[precision]
    rows, pixels, warps = tiling.shape(program)
    basis = tiling.basis(precision, turn.dtype)
    _rebuild[tiles, tiling.length // pixels](
        output, packed, basis, frequencies, turn,
        images.start, start, end, tiling.groups, tiling.code_bytes, largest,
        tiling.kept, *tiling.ends, *tiling.lengths, *tiling.cut,
        rows, pixels, tiling.length, precision, num_warps=warps, num_stages=program.stages,
    )  # fmt: skip
