"""Scales rounded to 8 or 16 bits: ``encode_scales`` of ``spectrum.rounding``, in one pass."""

from __future__ import annotations

from math import ceil

import triton
import triton.language as tl
from torch import Tensor

from xconv.kernels.prepare import CELLS, SCALE_STREAM, random_word, uniform
from xconv.kernels.tiles import TINY, level, octave_of, place_of_scale, top_of
from xconv.spectrum.rounding import GROUP

_CELLS = tl.constexpr(CELLS)
_TURN = tl.constexpr(GROUP * GROUP)
_STREAM = tl.constexpr(SCALE_STREAM)
_SIZE = 1024


@triton.jit(do_not_specialize=["start", "seed", "count", "narrow"])
def _round_scales(scales, work, packed, start, seed, count, narrow, SIZE: tl.constexpr):
    seed = seed.to(tl.int64)
    number = tl.program_id(0) * SIZE + tl.arange(0, SIZE)
    mask = number < count
    cells = (work + _TURN).to(tl.pointer_type(tl.int32), bitcast=True)
    bits = tl.max(tl.load(cells + tl.arange(0, _CELLS)), 0)
    largest = bits.to(tl.float32, bitcast=True)
    relative = tl.load(scales + number, mask=mask, other=0.0) / tl.maximum(largest, TINY)
    place, is_wide = place_of_scale(number, narrow)
    top = top_of(is_wide)
    lower = tl.floor(tl.log2(relative) * octave_of(is_wide) + top)
    lower = tl.minimum(tl.maximum(lower, 0), top - 1)
    low, high = level(lower, is_wide), level(lower + 1, is_wide)
    chance, _ = random_word(seed, number, _STREAM)
    is_up = uniform(chance) < (relative - low) / (high - low)
    codes = lower.to(tl.int32) + is_up.to(tl.int32)
    codes = tl.where(is_wide, codes ^ 0x8000, codes)  # signed, little-endian
    target = packed + start
    tl.store(target + place, (codes & 255).to(tl.uint8), mask=mask)
    tl.store(target + place + 1, (codes >> 8).to(tl.uint8), mask=mask & is_wide)
    byte = tl.arange(0, 4)
    last = (bits >> (8 * byte)) & 255
    end, _ = place_of_scale(count + byte * 0, narrow)
    tl.store(target + end + byte, last.to(tl.uint8), mask=(tl.program_id(0) + byte * 0) == 0)


def round_scales(
    scales: Tensor, work: Tensor, packed: Tensor, start: int, narrow: int, seed: int
) -> None:
    """Write a code for each of ``scales`` to ``packed``, from byte ``start`` on.

    The first ``narrow`` take 8 bits, the others 16. They are followed by the largest scale
    (float32), which ``sketch`` left in ``work``.
    """
    count = scales.numel()
    grid = (ceil(count / _SIZE),)
    _round_scales[grid](scales, work, packed, start, seed, count, narrow, _SIZE, num_warps=4)
