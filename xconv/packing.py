"""Whole numbers of 1 to 8 bits, packed without gaps by plain operations on 64-bit words.

Eight numbers lie in the eight bytes of a word. Three steps push neighbours together, in lanes of 2,
4 and 8 bytes, and leave 8·bits bits, which are ``bits`` whole bytes. Every backend has these
operations, and none needs more room than the numbers take.
"""

import torch
from torch import Tensor

from xconv.native import codes as native
from xconv.native.library import library_for

_LANES = (8, 16, 32)
"""Bits of a lane before each of the three steps; a lane holds several numbers."""


def pack_codes(codes: Tensor, bits: int) -> Tensor:
    """Return ``codes`` (uint8, 8·m numbers below 2^bits, flat) in ``bits``·m bytes (uint8)."""
    if bits == 8:
        return codes
    library = library_for(codes)
    if library is not None:
        return native.pack_codes(library, codes, bits)
    words = codes.view(torch.int64)
    for lane in _LANES:
        width = bits * lane // 8
        upper = words.bitwise_right_shift(lane).bitwise_and_(_every(2 * lane, width))
        words = words.sub(upper, alpha=2**lane - 2**width)  # from its old place to its new one
    # With one bit, reshape would return a view that keeps eight times the bytes alive.
    return words.view(torch.uint8).view(-1, 8)[:, :bits].contiguous().view(-1)


def unpack_codes(packed: Tensor, bits: int) -> Tensor:
    """Return the numbers that ``pack_codes`` packed: uint8, flat."""
    if bits == 8:
        return packed
    library = library_for(packed)
    if library is not None:
        return native.unpack_codes(library, packed, bits)
    lines = packed.new_zeros(packed.numel() // bits, 8)
    lines[:, :bits] = packed.view(-1, bits)
    words = lines.view(torch.int64).view(-1)
    for lane in reversed(_LANES):
        width = bits * lane // 8
        upper = words.bitwise_right_shift(width).bitwise_and_(_every(2 * lane, width))
        words = words.add(upper, alpha=2**lane - 2**width)
    return words.view(torch.uint8)


def _every(lane: int, width: int) -> int:
    """Return a 64-bit word with the lowest ``width`` bits of every lane of ``lane`` bits set."""
    return (2**64 - 1) // (2**lane - 1) * (2**width - 1)
