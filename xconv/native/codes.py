"""Whole numbers of a few bits, packed as ``xconv.packing`` does it."""

import torch
from torch import Tensor

from xconv.native.calling import Library


def pack_codes(library: Library, codes: Tensor, bits: int) -> Tensor:
    """Return ``codes`` (uint8, 8·m numbers below 2^bits, flat) in ``bits``·m bytes (uint8)."""
    packed = torch.empty(codes.numel() // 8 * bits, dtype=torch.uint8, device=codes.device)
    library.run("pack_codes", codes, packed, codes.numel(), bits)
    return packed


def unpack_codes(library: Library, packed: Tensor, bits: int) -> Tensor:
    """Return the numbers that ``pack_codes`` packed: uint8, flat."""
    codes = torch.empty(packed.numel() // bits * 8, dtype=torch.uint8, device=packed.device)
    library.run("unpack_codes", packed, codes, codes.numel(), bits)
    return codes
