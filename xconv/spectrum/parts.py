"""Parts of an input, small enough for what is computed from each to stay small."""

from math import ceil, prod

from xconv.layout import Layout

SMALL = {"cpu": 2**18}
SMALL_ELSEWHERE = 2**22
"""Elements that are too few to divide."""
CACHED = 2**20
"""Elements that fit into a CPU's cache."""
_SHARE = 32
"""Bytes of the input for each element of a part, in float32, unless the part is small.

All that is computed from a part then takes less memory than the input.
"""
_MOST = 64
"""Largest number of parts of a batch; very large batches occur in simulations only."""


def parts_of(layout: Layout) -> list[tuple[slice, list[slice]]]:
    """Return slices of images, each with slices of channels: all at once, or some of one image.

    The result depends on ``layout`` alone.
    """
    batch, channels = layout.shape[:2]
    pixels, total = prod(layout.shape[2:]), prod(layout.shape)
    room = max(
        total * layout.dtype.itemsize // _SHARE, SMALL.get(layout.device.type, SMALL_ELSEWHERE)
    )
    if layout.device.type == "cpu":
        room = min(room, max(CACHED, total // _MOST))
    images = max(1, room // (channels * pixels))
    slices = ceil(channels / max(1, min(channels, room // pixels)))
    return [(some, _slices(channels, ceil(channels / slices))) for some in _slices(batch, images)]


def _slices(length: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, length)) for start in range(0, length, size)]
