"""Groups of numbers in a few bits, in one pass each, rounded as ``xconv.grouped`` says."""

import functools

import torch
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes

from xconv.native.calling import Library

_GROUP = 256
_BEST = 2
_LANES = (4, 8, 16)
"""Numbers that a vector of torch's may have, by kind of processor."""


def can_encode(library: Library, dithered: bool | None) -> bool:
    """Return whether ``encode`` decides as torch's operators do, where it has to decide."""
    return dithered is not None or _lanes(library) is not None


def encode(
    library: Library, values: Tensor, bits: int, seed: int, dithered: bool | None
) -> tuple[Tensor, Tensor]:
    """Return ``values`` (m, 256), float32, as packed numbers and the bounds of each group."""
    groups = len(values)
    packed = values.new_empty(groups * _GROUP * bits // 8, dtype=torch.uint8)
    bounds = values.new_empty(groups, 2)
    way = _BEST if dithered is None else int(dithered)
    lanes = _lanes(library) if dithered is None else 0
    library.run("encode_groups", values, packed, bounds, groups, bits, seed, way, lanes)
    return packed, bounds


def decode(
    library: Library, packed: Tensor, bounds: Tensor, bits: int, seed: int, scale: float
) -> Tensor:
    """Return ``scale`` x̂ (m, 256), float32, from what ``encode`` returned."""
    values = bounds.new_empty(len(bounds), _GROUP)
    library.run(
        "decode_groups", packed, bounds, values, len(bounds), bits, seed, float(scale)
    )  # fmt: skip
    return values


@functools.cache
def _lanes(library: Library) -> int | None:
    """Return how many numbers a vector of torch's has when it sums a group, or None.

    The order of additions decides the last bits of a sum, so it shows in the sums of some numbers.
    """
    with _disable_current_modes(), torch.inference_mode(False):
        generator = torch.Generator("cpu").manual_seed(0)
        shape, cpu = (64, _GROUP), torch.device("cpu")
        values = torch.empty(shape, dtype=torch.float32, device=cpu).uniform_(generator=generator)
        theirs, ours = values.sum(1), torch.empty(64, dtype=torch.float32, device=cpu)
        for lanes in _LANES:
            library.run("sum_groups", values, ours, len(values), lanes)
            if torch.equal(ours, theirs):
                return lanes
    return None
