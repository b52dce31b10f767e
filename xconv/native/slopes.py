"""Slopes of activations as codes, and gradients times them, as ``xconv.saved.codes`` says.

Functions that return a boolean return False, having done nothing, where a kernel may not be used.
"""

import functools
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes

from xconv.native.calling import Library
from xconv.native.library import library_for_floats


def pack_where(input: Tensor, packed: Tensor, region: str, low: float, high: float) -> bool:
    """Write to ``packed`` (uint8, ⌈n/8⌉) whether each number of ``input`` lies in a ``region``.

    It is "inside" or "outside" of ``low`` and ``high``, without these, or "up_to" both. Returns
    False if a number is NaN: it may lie anywhere.
    """
    library = library_for_floats(input, packed)
    if library is None:
        return False
    flag = torch.zeros((), device=input.device)
    count = input.numel()
    library.run(f"pack_{region}", input, packed, flag, count, float(low), float(high))
    return not flag.isnan()


def round_slopes(
    library: Library, slopes: Tensor, packed: Tensor, flag: Tensor, bits: int, seed: int,
    scale: float, below: float,
) -> None:  # fmt: skip
    """Round positions, ``slopes`` · ``scale`` + ``below``, at random to codes, and pack them.

    They are limited to 0 and 2^bits − 1. ``flag`` becomes NaN if one is NaN. All are flat; slopes
    and flag are float32.
    """
    count = slopes.numel()
    library.run(
        "round_slopes", slopes, packed, flag, count, bits, seed, float(scale), float(below)
    )  # fmt: skip


def round_hardswish(
    library: Library, input: Tensor, packed: Tensor, flag: Tensor, bits: int, seeds: Sequence[int],
    piece: int, scale: float, below: float,
) -> None:  # fmt: skip
    """Do the same with the slopes of Hardswish at ``input``, in pieces with one of ``seeds`` each.

    ``piece`` numbers, a multiple of eight, are a piece.
    """
    library.run(
        "round_hardswish", input, packed, flag, input.numel(), bits,
        torch.tensor(seeds, device=input.device), piece, float(scale), float(below),
    )  # fmt: skip


@functools.cache
def is_hardswish_known() -> bool:
    """Return whether torch's Hardswish is flat at −3 and 3, as ours is; older ones are not."""
    with _disable_current_modes(), torch.inference_mode(False):
        ends = torch.tensor([-3.0, 3.0], dtype=torch.float32, device="cpu")
        slopes = torch.ops.aten.hardswish_backward(torch.ones_like(ends), ends)
    return slopes.tolist() == [0.0, 1.0]


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
