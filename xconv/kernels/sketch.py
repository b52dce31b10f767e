"""Coefficients of blocks, turned, rounded and packed, in one pass over the input.

A program handles the 64 columns of a tile and some rows. It multiplies basis images and pixels,
which makes each row a group; multiplies with the rotation; and writes codes and scales. It computes
``encode`` of ``spectrum.rounding``, except that the norm of a group is taken before it is turned.
"""

from __future__ import annotations

from math import ceil

import triton
import triton.language as tl
from torch import Tensor

from xconv.kernels.prepare import CELLS, WORK
from xconv.kernels.tiles import GROUP_, TINY, bits_of, places, rounded, steps_of
from xconv.kernels.tiling import Program, Tiling
from xconv.spectrum.rounding import GROUP

_CELLS = tl.constexpr(CELLS)
_WORK = tl.constexpr(WORK)
_TURN = tl.constexpr(GROUP * GROUP)
PROGRAM = Program(rows=128, pixels=64, warps=8, stages=2)


@triton.jit
def _coefficients(
    input, basis, frequency, is_row, group, count, channels, length_0, length_1, length_2,
    SIDE_0: tl.constexpr, SIDE_1: tl.constexpr, SIDE_2: tl.constexpr, NUMBER: tl.constexpr,
    COUNT_1: tl.constexpr, COUNT_2: tl.constexpr, WIDTH: tl.constexpr, LAST: tl.constexpr,
    FULL: tl.constexpr, EDGE: tl.constexpr, ROWS: tl.constexpr, CHUNK: tl.constexpr,
    LENGTH: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Return the coefficients at some frequencies in a tile's blocks, (ROWS, GROUP), float32."""
    is_column = group * GROUP_ + tl.arange(0, GROUP_) < count
    found = tl.zeros((ROWS, GROUP_), tl.float32)
    for start in range(0, SIDE_0 * SIDE_1 * WIDTH, CHUNK):
        pixel = start + tl.arange(0, CHUNK)
        matrix = tl.load(
            basis + frequency[:, None] * LENGTH + pixel[None, :], mask=is_row[:, None], other=0.0
        )
        place, is_pixel, _ = places(
            group, pixel, 0, channels, length_0, length_1, length_2,
            SIDE_0, SIDE_1, SIDE_2, NUMBER, COUNT_1, COUNT_2,
            WIDTH, LAST, FULL, EDGE,
        )  # fmt: skip
        if LAST:
            mask = is_pixel if FULL else is_pixel & is_column[None, :]
            values = tl.load(input + place, mask=mask, other=0.0).to(tl.float32)
        else:
            mask = is_pixel & is_column[:, None]
            values = tl.load(input + place, mask=mask, other=0.0).to(tl.float32)
            values = tl.trans(values)
        if input.dtype.element_ty == tl.float32:  # half dtypes are exact in TF32
            values = rounded(values, PRECISION)
        found = tl.dot(matrix, values, found, input_precision=PRECISION)
    return found


@triton.jit
def _round(values, turned, bits):
    """Return codes (int32) and scales of the groups ``values`` (ROWS, GROUP)."""
    half = (1 << (bits - 1)).to(tl.float32)[:, None]
    norm = tl.sqrt(tl.sum(turned * turned, 1))
    unit = tl.maximum(norm, TINY) * steps_of(bits) * 0.125  # 1/√GROUP
    number = tl.floor(turned / unit[:, None])
    number = tl.minimum(tl.maximum(number, -half), half - 1)
    energy = tl.sum(values * values, 1)
    scale = energy / tl.maximum(tl.sum(turned * (number + 0.5), 1), TINY)
    return (number + half).to(tl.int32), scale * (1 << (bits - 1)).to(tl.float32)


@triton.jit
def _pack(codes, target, bits, is_row, ROWS: tl.constexpr):
    """Write ``codes`` (ROWS, GROUP) of at most 4 bits to ``target`` (ROWS), without gaps.

    The first number takes the lowest bits.
    """
    eight, four = tl.arange(0, 8)[None, None, :], tl.arange(0, 4)[None, None, :]
    width = bits[:, None, None]
    lines = tl.reshape(codes, (ROWS, GROUP_ // 8, 8))
    words = tl.sum(lines << (eight * width), 2)  # eight numbers in ``width`` bytes
    whole = (words[:, :, None] >> (8 * four)) & 255
    place = tl.arange(0, GROUP_ // 8)[None, :, None] * width + four
    mask = (is_row & (bits <= 4))[:, None, None] & (four < width)
    tl.store(target[:, None, None] + place, whole.to(tl.uint8), mask=mask)


@triton.jit(
    do_not_specialize=[
        "count", "groups", "kept", "end_1", "end_2", "end_3", "end_4", "end_8", "channels",
        "length_0", "length_1", "length_2",
    ]
)  # fmt: skip
def _sketch(
    input, basis, frequencies, work, codes, scales, count, groups, kept,
    end_1, end_2, end_3, end_4, end_8, channels, length_0, length_1, length_2,
    SIDE_0: tl.constexpr, SIDE_1: tl.constexpr, SIDE_2: tl.constexpr, NUMBER: tl.constexpr,
    COUNT_1: tl.constexpr, COUNT_2: tl.constexpr, WIDTH: tl.constexpr, LAST: tl.constexpr,
    FULL: tl.constexpr, EDGE: tl.constexpr, ROWS: tl.constexpr, CHUNK: tl.constexpr,
    LENGTH: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    group = tl.program_id(0)
    row = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    member = tl.arange(0, GROUP_)
    is_row = row < kept
    frequency = tl.load(frequencies + row, mask=is_row, other=0).to(tl.int32)
    values = _coefficients(
        input, basis, frequency, is_row, group, count, channels, length_0, length_1, length_2,
        SIDE_0, SIDE_1, SIDE_2, NUMBER, COUNT_1, COUNT_2, WIDTH, LAST, FULL, EDGE,
        ROWS, CHUNK, LENGTH, PRECISION,
    )  # fmt: skip
    values *= tl.load(work + _WORK + row, mask=is_row, other=0.0)[:, None]
    turn = tl.load(work + member[None, :] * GROUP_ + member[:, None])  # the transpose
    turned = tl.dot(rounded(values, PRECISION), turn, input_precision=PRECISION)
    bits, before = bits_of(row, end_1, end_2, end_3, end_4, end_8)
    numbers, scale = _round(values, turned, bits)
    target = codes + (before * groups + group * bits) * (GROUP_ // 8)
    _pack(numbers, target, bits, is_row, ROWS)
    if (tl.program_id(1) + 1) * ROWS > end_4:
        place = target[:, None] + member[None, :]
        tl.store(place, numbers.to(tl.uint8), mask=(is_row & (bits == 8))[:, None])
    if (tl.program_id(1) + 1) * ROWS > end_8:  # rows start at multiples of 8 bytes
        place = target.to(tl.pointer_type(tl.int16), bitcast=True)[:, None] + member[None, :]
        signed = (numbers - 0x8000).to(tl.int16)
        tl.store(place, signed, mask=(is_row & (bits == 16))[:, None])
    tl.store(scales + row.to(tl.int64) * groups + group, scale, mask=is_row)
    # Positive floats compare as their bits do as integers, and NaN is above them all.
    size = scale.to(tl.int32, bitcast=True) & 0x7FFFFFFF
    largest = tl.max(tl.where(is_row, size, 0), 0)
    cells = (work + _TURN).to(tl.pointer_type(tl.int32), bitcast=True)
    tl.atomic_max(cells + group % _CELLS, largest)


def sketch(
    input: Tensor,
    tiling: Tiling,
    frequencies: Tensor,
    work: Tensor,
    codes: Tensor,
    scales: Tensor,
    precision: str,
) -> None:
    """Write the codes (uint8) and scales (float32, a row a frequency) of ``input``.

    ``frequencies`` and ``work`` are what ``prepare`` returned; the largest scales are left in
    ``work``.
    """
    rows, pixels, warps = tiling.shape(PROGRAM)
    _sketch[tiling.groups, ceil(tiling.kept / rows)](
        input, tiling.basis(precision), frequencies, work, codes, scales,
        tiling.columns, tiling.groups, tiling.kept, *tiling.ends, *tiling.lengths, *tiling.cut,
        rows, pixels, tiling.length, precision, num_warps=warps, num_stages=PROGRAM.stages,
    )  # fmt: skip
