"""Slopes of activations as codes, and gradients times them, as ``xconv.saved.codes`` says.

Each function returns False, having done nothing, where a kernel may not be used.
"""

import torch
from torch import Tensor

from xconv.native.library import library_for_floats


def pack_unequal(slopes: Tensor, first: float, packed: Tensor) -> bool:
    """Write to ``packed`` (uint8, ⌈n/8⌉) whether each of n ``slopes`` differs from ``first``."""
    library = library_for_floats(slopes, packed)
    if library is not None:
        library.run("pack_unequal", slopes, float(first), packed, slopes.numel())
    return library is not None


def round_positions(positions: Tensor, packed: Tensor, flag: Tensor, bits: int, seed: int) -> bool:
    """Round ``positions`` (flat, 0 to 2^bits − 1) at random to codes, and pack them.

    ``flag`` becomes NaN if a position is not finite.
    """
    library = library_for_floats(positions, packed, flag)
    if library is not None:
        library.run("round_positions", positions, packed, flag, positions.numel(), bits, seed)
    return library is not None


def scale(
    source: Tensor, packed: Tensor, factors: Tensor, target: Tensor, bits: int, zero_stays: bool
) -> bool:
    """Write to ``target`` the numbers of ``source`` times the ``factors`` of their codes."""
    library = library_for_floats(source, packed, factors, target)
    if library is None or len(factors) != 2**bits:
        return False
    library.run(
        "scale_by_codes", source, packed, factors, target, source.numel(), bits, zero_stays,
        torch.get_num_threads(),
    )  # fmt: skip
    return True
