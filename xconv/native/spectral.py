"""Coefficients of blocks, picked and put back by frequency, and rounded, in one pass each.

``xconv.spectrum`` says how. Floating-point numbers are float32, and all tensors are contiguous.
"""

import torch
from torch import Tensor

from xconv.native.calling import Library

_TURNED = 64


def pick(
    library: Library, maps: Tensor, of_blocks: Tensor, of_frequencies: Tensor, weights: Tensor
) -> Tensor:
    """Return the coefficients at some frequencies in ``maps``, (frequencies, maps · blocks).

    The coefficient of a block and a frequency lies at the sum of their offsets (int64) in a map;
    each is multiplied by the weight of its frequency.
    """
    count, size = len(maps), maps[0].numel()
    kept = maps.new_empty(len(of_frequencies), count * len(of_blocks))
    offsets = of_blocks, len(of_blocks), of_frequencies, len(of_frequencies)
    library.run("pick_frequencies", maps, kept, count, size, *offsets, weights)
    return kept


def put(
    library: Library, kept: Tensor, maps: Tensor, of_blocks: Tensor, of_frequencies: Tensor
) -> None:
    """Write to ``maps`` the coefficients that ``pick`` would return, and 0 elsewhere."""
    count, size = len(maps), maps[0].numel()
    offsets = of_blocks, len(of_blocks), of_frequencies, len(of_frequencies)
    library.run("put_frequencies", kept, maps, count, size, *offsets)


def round_turned(
    library: Library, turned: Tensor, units: Tensor, bits: int
) -> tuple[Tensor, Tensor]:
    """Return the levels next to ``turned`` (groups, 64) over ``units``, and their packed codes.

    Levels lie half a step beside whole numbers; codes have 1 to 8 ``bits``.
    """
    levels = torch.empty_like(turned)
    packed = turned.new_empty(turned.numel() // 8 * bits, dtype=torch.uint8)
    library.run("round_turned", turned, units, levels, packed, len(turned), bits)
    return levels, packed


def restore_turned(library: Library, packed: Tensor, scales: Tensor, bits: int) -> Tensor:
    """Return the levels (groups, 64) that packed codes stand for, times ``scales`` of groups."""
    numbers = scales.new_empty(len(scales), _TURNED)
    library.run("restore_turned", packed, scales, numbers, len(scales), bits)
    return numbers
