"""One bit per element, packed and unpacked in one pass: the seven operators of ``saved.relu``.

Elements follow each other in memory order; bit i of a byte belongs to the byte's element i.
"""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

_BYTES = 256
"""Bytes of packed bits for each program."""


@triton.jit(do_not_specialize=["count"])
def _pack_passing(output, packed, count, BYTES: tl.constexpr):
    byte = tl.program_id(0).to(tl.int64) * BYTES + tl.arange(0, BYTES)
    bit = tl.arange(0, 8)[None, :]
    element = byte[:, None] * 8 + bit
    values = tl.load(output + element, mask=element < count, other=0.0)
    if output.dtype.element_ty.primitive_bitwidth == 16:
        values = values.to(tl.float32)  # Triton's interpreter cannot compare bfloat16
    is_kept = (values <= 0.0) == 0  # true for NaN, as in torch
    bits = tl.sum(tl.where(is_kept & (element < count), 1, 0) << bit, 1)
    tl.store(packed + byte, bits.to(tl.uint8), mask=byte * 8 < count)


@triton.jit(do_not_specialize=["count"])
def _mask_gradient(gradient, packed, target, count, BYTES: tl.constexpr):
    byte = tl.program_id(0).to(tl.int64) * BYTES + tl.arange(0, BYTES)
    bit = tl.arange(0, 8)[None, :]
    element = byte[:, None] * 8 + bit
    bits = tl.load(packed + byte, mask=byte * 8 < count, other=0).to(tl.int32)
    values = tl.load(gradient + element, mask=element < count, other=0.0)
    passes = ((bits[:, None] >> bit) & 1) != 0
    tl.store(target + element, tl.where(passes, values, 0.0), mask=element < count)


def pack_passing(output: Tensor, packed: Tensor) -> None:
    """Write a bit for each of the n elements of ``output`` to ``packed`` (uint8, ⌈n/8⌉).

    The bit is ``not output <= 0``. Both tensors are contiguous.
    """
    grid = (triton.cdiv(packed.numel(), _BYTES),)
    _pack_passing[grid](output, packed, output.numel(), _BYTES, num_warps=4)


def mask_gradient(gradient: Tensor, packed: Tensor, target: Tensor) -> None:
    """Write ``gradient`` to ``target`` where its bit is set, 0 elsewhere. All are contiguous."""
    grid = (triton.cdiv(packed.numel(), _BYTES),)
    _mask_gradient[grid](gradient, packed, target, gradient.numel(), _BYTES, num_warps=4)
