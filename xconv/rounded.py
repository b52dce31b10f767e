"""Groups of numbers rounded by a kernel, where one claims the seed, or by torch's operators.

``xconv.grouped`` says how numbers are rounded and has the operators.
"""

import torch
from torch import Tensor

from xconv import grouped
from xconv.capture import refuse_capture
from xconv.grouped import GROUP, empty_groups
from xconv.kernels import choice


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
