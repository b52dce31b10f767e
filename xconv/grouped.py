"""Numbers rounded to a few bits each, with one range for each group of neighbours.

A group has bounds ``low`` and ``high``; with b bits its levels lie ``Δ = (high − low) / (2^b − 1)``
apart. A number is kept as the whole number ``q = ⌊(x − low)/Δ + r⌋``, r uniform in [0, 1), and
restored in one of two ways:

    x̂ = low + q Δ              stochastic rounding,  variance f (1 − f) Δ², f = (x − low)/Δ mod 1
    x̂ = low + (q − r + ½) Δ    subtractive dither,   variance Δ²/12, r drawn again from the seed

Both have the mean x. In the first, q is the larger of the two levels around x with probability f.
In the second, (x − low)/Δ + r − q is uniform in [0, 1) for every x, so errors depend neither on x
nor on each other. The second has the smaller variance unless many numbers lie on a level, as the
zeros after a ReLU do. The choice between them never depends on r, so that the mean stays x; the
order in which the bounds are stored records it. Numbers of a group share the last 8 of the 24 bits
of r, which no mean and no sum of errors shows: ``xconv.random.chances`` says why.
"""

from math import gcd

import torch
from torch import Tensor

from xconv.native import groups
from xconv.native.library import library_for_floats
from xconv.packing import pack_codes, unpack_codes
from xconv.random import chances, mixed

BITS = (1, 2, 4, 8)
GROUP = 256
"""Neighbouring numbers that share a range, as in ActNN."""

_RANGE_BYTES = 8


def groups_for(count: int) -> int:
    """Return the number of groups that ``count`` numbers fill."""
    return -(-count // GROUP)


def whole_groups(count: int, size: int) -> int:
    """Return the most things of ``size`` numbers, at most ``count``, that fill whole groups.

    If not even that many do, return ``count``.
    """
    return count - count % (GROUP // gcd(GROUP, size)) or count


def kept_bytes(groups: int, bits: int) -> int:
    """Return the bytes of whole groups: packed numbers and two bounds for each group."""
    return groups * (GROUP * bits // 8 + _RANGE_BYTES)


def code_bytes(groups: slice, bits: int) -> slice:
    """Return the slice of bytes that holds the packed numbers of ``groups``."""
    return slice(groups.start * GROUP * bits // 8, groups.stop * GROUP * bits // 8)


def empty_groups(groups: int, bits: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Return empty tensors for packed numbers (uint8, flat) and bounds (groups, 2), float32.

    Both are on the device of ``like``.
    """
    packed = like.new_empty(groups * GROUP * bits // 8, dtype=torch.uint8)
    return packed, like.new_empty(groups, 2, dtype=torch.float32)


def room_for(count: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Return empty groups (m, GROUP), float32, and a flat view of the first ``count`` numbers.

    Write the numbers to the view, then call ``fill`` to complete the last group.
    """
    values = like.new_empty(groups_for(count), GROUP, dtype=torch.float32)
    return values, values.view(-1)[:count]


def fill(values: Tensor, count: int) -> Tensor:
    """Repeat the last of ``count`` numbers to the end of ``values``, and return ``values``."""
    flat = values.view(-1)
    flat[count:] = flat[count - 1]
    return values


def encode(
    values: Tensor, bits: int, seed: Tensor, stream: int, dithered: bool | None = None
) -> tuple[Tensor, Tensor]:
    """Return ``values`` (m, GROUP), float32, as packed numbers and the bounds of each group.

    Packed numbers are uint8, flat; bounds are float32, (m, 2). ``values`` are overwritten.
    ``dithered`` chooses subtractive dither (True) or stochastic rounding (False) for all groups;
    None chooses the one with the smaller variance for each group.
    """
    library = library_for_floats(values, seed)
    if library is not None and groups.can_encode(library, dithered):
        return groups.encode(library, values, bits, mixed(seed, stream), dithered)
    low, high = values.amin(1, keepdim=True), values.amax(1, keepdim=True)  # quicker than aminmax
    spans = (high - low).clamp_(min=torch.finfo(torch.float32).tiny)
    levels = values.sub_(low).div_(spans).mul_(2**bits - 1)
    if dithered is None:
        is_dithered = _is_dithered(levels)
        low, high = torch.where(is_dithered, high, low), torch.where(is_dithered, low, high)
    elif dithered:
        low, high = high, low
    codes = levels.add_(_chances(seed, stream, levels)).floor_().clamp_(0, 2**bits - 1)
    return pack_codes(codes.to(torch.uint8).view(-1), bits), torch.cat([low, high], dim=1)


def decode(
    packed: Tensor, bounds: Tensor, bits: int, seed: Tensor, stream: int, scale: float = 1.0
) -> Tensor:
    """Return ``scale`` x̂ (m, GROUP), float32, from what ``encode`` returned.

    ``seed`` and ``stream`` are those given to ``encode``.
    """
    library = library_for_floats(packed, bounds, seed)
    if library is not None:
        return groups.decode(library, packed, bounds, bits, mixed(seed, stream), scale)
    levels = unpack_codes(packed, bits).view(-1, GROUP).float()
    first, second = bounds[:, :1], bounds[:, 1:]
    shift = _chances(seed, stream, levels).sub_(0.5).mul_(first > second)
    step = (second - first).abs_().mul_(scale / (2**bits - 1))
    low = torch.minimum(first, second).mul_(scale)
    return levels.sub_(shift).mul_(step).add_(low)


def dither_variances(bounds: Tensor, bits: int) -> Tensor:
    """Return the variance Δ²/12 of the numbers of each dithered group, (m, 1)."""
    return (bounds[:, 1:] - bounds[:, :1]).div_(2**bits - 1).square_().div_(12)


def _is_dithered(levels: Tensor) -> Tensor:
    """Return for each group whether dither has the smaller variance, (groups, 1)."""
    fractions = levels.frac()
    energies = fractions.square().sum(1, keepdim=True)
    return fractions.sum(1, keepdim=True) - energies > GROUP / 12


def _chances(seed: Tensor, stream: int, like: Tensor) -> Tensor:
    """Return r for each number of one part, uniform in [0, 1)."""
    return chances(seed, stream, like.numel(), torch.float32, like.device).view_as(like)
