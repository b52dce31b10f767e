"""Coefficients of blocks of maps, turned in groups and rounded to a few bits.

``xconv.spectrum`` says how. Floating-point numbers are float32. Sums have other last bits than
those of torch's operators, whose order of additions differs from library to library.
"""

import torch
from torch import Tensor

from xconv.native.calling import Library

_GROUP = 64


def pick(
    library: Library,
    images: Tensor,
    maps: Tensor,
    columns: int,
    cosines: Tensor,
    frequencies: Tensor,
    weights: Tensor,
) -> Tensor:
    """Return the coefficients of ``images`` at some frequencies, (frequencies, columns).

    A column is a block of a map. ``maps`` (int64) tell how images, of any strides, lie in memory
    and are cut into blocks; ``cosines`` are the transforms of all sides, and ``frequencies``
    (int16) the places of coefficients in a block. Each has a weight to be multiplied by.
    """
    kept = torch.empty(len(frequencies), columns, dtype=torch.float32, device=images.device)
    library.run(
        "pick_frequencies", images, kept, columns, maps, cosines, frequencies, len(frequencies),
        weights, torch.get_num_threads(),
    )  # fmt: skip
    return kept


def put(
    library: Library,
    kept: Tensor,
    images: Tensor,
    maps: Tensor,
    columns: int,
    cosines: Tensor,
    frequencies: Tensor,
) -> None:
    """Write to ``images`` the maps whose coefficients ``pick`` would return, and 0 elsewhere."""
    library.run(
        "put_frequencies", kept, images, columns, maps, cosines, frequencies, len(frequencies),
        torch.get_num_threads(),
    )  # fmt: skip


def encode(
    library: Library, numbers: Tensor, bits: int, step: float, rotation: Tensor
) -> tuple[Tensor, Tensor]:
    """Return packed codes (uint8) and scales of ``numbers`` in groups of 64.

    ``step`` is the distance of levels over the norm of a group. Codes have 1 to 8 or 16 ``bits``.
    """
    groups = -(-numbers.numel() // _GROUP)
    packed = torch.empty(groups * _GROUP // 8 * bits, dtype=torch.uint8, device=numbers.device)
    scales = torch.empty(groups, dtype=torch.float32, device=numbers.device)
    library.run(
        "encode_turned", numbers, numbers.numel(), bits, step, rotation, packed, scales,
        torch.get_num_threads(),
    )  # fmt: skip
    return packed, scales


def decode(
    library: Library, packed: Tensor, scales: Tensor, bits: int, rotation: Tensor, into: Tensor
) -> None:
    """Write to ``into`` the numbers that codes and scales stand for."""
    library.run(
        "decode_turned", packed, scales, bits, rotation, into, into.numel(),
        torch.get_num_threads(),
    )  # fmt: skip


def orthogonalize(library: Library, normal: Tensor) -> Tensor:
    """Return the Q of ``normal`` (64, 64), whose R has a positive diagonal."""
    rotation = torch.empty_like(normal)
    library.run("orthogonalize", normal, rotation)
    return rotation


def encode_scales(
    library: Library, scales: Tensor, largest: Tensor, bits: int, seed: int
) -> Tensor:
    """Return codes of 8 or 16 ``bits``, as bytes, for ``scales`` up to ``largest`` (0-d)."""
    codes = torch.empty(scales.numel() * bits // 8, dtype=torch.uint8, device=scales.device)
    library.run("encode_scales", scales, scales.numel(), largest, bits, seed, codes)
    return codes


def decode_scales(library: Library, codes: Tensor, largest: Tensor, bits: int) -> Tensor:
    """Return the scales that ``codes`` stand for."""
    scales = largest.new_empty(codes.numel() * 8 // bits)
    library.run("decode_scales", codes, scales.numel(), largest, bits, scales)
    return scales


def draw_frequencies(
    library: Library, probabilities: Tensor, order: Tensor, count: int, seed: int
) -> tuple[Tensor, Tensor]:
    """Return ``count`` frequencies (int16) of ``order`` (int64), and 1/p of each."""
    frequencies = order.new_empty(count, dtype=torch.int16)
    weights = order.new_empty(count, dtype=torch.float32)
    library.run(
        "draw_frequencies", probabilities, order, len(order), count, seed, frequencies, weights
    )
    return frequencies, weights
