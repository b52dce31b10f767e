"""Groups of numbers rounded by a kernel, where one claims the seed, or by torch's operators.

``xconv.grouped`` says how numbers are rounded and has the operators.
"""

import torch
from torch import Tensor

from xconv import grouped
from xconv.capture import refuse_capture
from xconv.grouped import GROUP, empty_groups, fill, room_for
from xconv.kernels import choice
from xconv.wholes import Shapeless, Stretch, whole


def encode(
    values: Tensor,
    bits: int,
    seed: Tensor,
    stream: int,
    first_group: int,
    dithered: bool | None = None,
) -> tuple[Tensor, Tensor]:
    """Return ``values`` (m, GROUP), float32, as ``xconv.grouped.encode`` does.

    Several calls with one seed are told apart by the ``stream`` where operators round, by the
    number of the ``first_group`` where a kernel does. Raises RuntimeError while a CUDA graph is
    captured.
    """
    if not choice.is_claimed(seed):
        return grouped.encode(values, bits, seed, stream, dithered)
    from xconv.kernels import groups

    refuse_capture(values.device)
    packed, bounds = empty_groups(len(values), bits, values)
    with choice.current(values.device):
        groups.encode(values, packed, bounds, int(seed), first_group, bits, dithered)
    return packed, bounds


def decode(
    packed: Tensor,
    bounds: Tensor,
    bits: int,
    seed: Tensor,
    stream: int,
    first_group: int,
    scale: float = 1.0,
) -> Tensor:
    """Return ``scale`` x̂ (m, GROUP), float32, from what ``encode`` returned.

    ``seed``, ``stream`` and ``first_group`` are those given to ``encode``.
    """
    if not choice.is_claimed(seed):
        return grouped.decode(packed, bounds, bits, seed, stream, scale)
    from xconv.kernels import groups

    target = torch.empty(len(bounds), GROUP, device=bounds.device)
    with choice.current(target.device):
        groups.decode(packed, bounds, target, int(seed), first_group, bits, scale)
    return target


@whole
def keep_numbers(
    numbers: Tensor,
    which: Stretch,
    packed: Tensor,
    codes: Stretch,
    bounds: Tensor,
    groups: Stretch,
    bits: int,
    seed: Tensor,
    stream: Shapeless,
    dithered: bool | None,
) -> None:
    """Write what ``encode`` makes of some numbers, flat and of any dtype, to the two tensors.

    The bounds are those of some ``groups``, whose ``codes`` are some of the bytes.
    """
    own = groups.within(bounds)
    values, target = room_for(which.length, own)
    target.copy_(which.within(numbers))
    fill(values, which.length)
    packed, first_group = codes.within(packed), Shapeless(groups.start)
    keep_groups(values, packed, own, bits, seed, stream, first_group, dithered)


@whole
def keep_groups(
    values: Tensor,
    packed: Tensor,
    bounds: Tensor,
    bits: int,
    seed: Tensor,
    stream: Shapeless,
    first_group: Shapeless,
    dithered: bool | None,
) -> None:
    """Write what ``encode`` makes of ``values`` to the two tensors; ``values`` are overwritten."""
    codes, limits = encode(values, bits, seed, stream.value, first_group.value, dithered)
    bounds.copy_(limits)
    packed.copy_(codes)


@whole
def restored_numbers(
    packed: Tensor,
    bounds: Tensor,
    bits: int,
    seed: Tensor,
    stream: Shapeless,
    first_group: Shapeless,
    scale: float,
) -> Tensor:
    """Return the numbers that ``decode`` restores, flat."""
    return decode(packed, bounds, bits, seed, stream.value, first_group.value, scale).view(-1)


@whole
def restored_groups(
    packed: Tensor,
    codes: Stretch,
    bounds: Tensor,
    groups: Stretch,
    bits: int,
    seed: Tensor,
    stream: Shapeless,
    scale: float,
) -> Tensor:
    """Return the numbers of some ``groups``, whose ``codes`` are some of the bytes, flat."""
    own = codes.within(packed), groups.within(bounds)
    return restored_numbers(*own, bits, seed, stream, Shapeless(groups.start), scale)
