"""Some images and channels of an input at a time, so that what is computed of them stays small."""

from math import ceil, prod

from xconv.layout import Layout

SMALL = {"cpu": 2**18}
SMALL_ELSEWHERE = 2**22
"""Elements that are not worth dividing."""
CACHED = 2**20
"""Elements that a CPU's cache still holds."""
_SHARE = 32
"""A part of what is not small has one element in float32 for so many bytes of the input: all that
is computed of it then takes less than the input."""
_MOST = 64
"""Parts of a batch at the most: very large ones occur in simulations, which compute nothing."""


def parts_of(layout: Layout) -> list[tuple[slice, list[slice]]]:
    """Return the images of an input, some at a time, and with them their channels: all at once,
    or some at a time of one image. The same for the same layout, at any time."""
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
