"""Scales in 8 bits: ``encode_scales`` of ``spectrum.rounding``, in one pass."""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

from xconv.kernels.prepare import CELLS, SCALE_STREAM, random_word, uniform
from xconv.kernels.tiles import OCTAVE, TINY, TOP, level
from xconv.spectrum.rounding import GROUP

_CELLS = tl.constexpr(CELLS)
_TURN = tl.constexpr(GROUP * GROUP)
_STREAM = tl.constexpr(SCALE_STREAM)
_SIZE = 1024


@triton.jit(do_not_specialize=["start", "seed", "count"])
def _round_scales(scales, work, packed, start, seed, count, SIZE: tl.constexpr):
    seed = seed.to(tl.int64)
    target = packed + start
    number = tl.program_id(0) * SIZE + tl.arange(0, SIZE)
    mask = number < count
    cells = (work + _TURN).to(tl.pointer_type(tl.int32), bitcast=True)
    bits = tl.max(tl.load(cells + tl.arange(0, _CELLS)), 0)
    largest = bits.to(tl.float32, bitcast=True)
    relative = tl.load(scales + number, mask=mask, other=0.0) / tl.maximum(largest, TINY)
    lower = tl.floor(tl.log2(relative) * OCTAVE + TOP)
    lower = tl.minimum(tl.maximum(lower, 0), TOP - 1)
    low, high = level(lower), level(lower + 1)
    chance, _ = random_word(seed, number, _STREAM)
    is_up = uniform(chance) < (relative - low) / (high - low)
    codes = lower.to(tl.int32) + is_up.to(tl.int32)
    tl.store(target + number, codes.to(tl.uint8), mask=mask)
    byte = tl.arange(0, 4)
    last = (bits >> (8 * byte)) & 255
    tl.store(target + count + byte, last.to(tl.uint8), mask=(tl.program_id(0) + byte * 0) == 0)


def round_scales(scales: Tensor, work: Tensor, packed: Tensor, start: int, seed: int) -> None:
    """Write a code (uint8) for each of ``scales`` to ``packed`` from byte ``start`` on, and behind
    them the largest scale (float32), which ``sketch`` left in ``work``."""
    count = scales.numel()
    grid = (triton.cdiv(count, _SIZE),)
    _round_scales[grid](scales, work, packed, start, seed, count, _SIZE, num_warps=4)
