"""Places of maxima in their windows, and back, for images of two dimensions."""

from collections.abc import Sequence

import torch
from torch import Tensor

from xconv.native.library import library_for_floats

Place = tuple[Tensor, int, int]
"""Starts of the windows in one dimension, the step inside a window, and its extent."""

_MOST_PIXELS = 2**31


def positions(indices: Tensor, places: Sequence[Place], pixels: tuple[int, ...]) -> Tensor | None:
    """Return the position in its window, uint8, of each of ``indices``, or None.

    ``indices`` (images, channels, rows, columns), int64, count the ``pixels`` of a channel. None
    says that a kernel may not be used.
    """
    return _run("find_positions", indices, torch.uint8, places, pixels)


def indices(positions: Tensor, places: Sequence[Place], pixels: tuple[int, ...]) -> Tensor | None:
    """Return the indices, int64, of what ``positions`` returned, or None."""
    return _run("find_indices", positions, torch.int64, places, pixels)


def _run(
    name: str,
    source: Tensor,
    dtype: torch.dtype,
    places: Sequence[Place],
    pixels: tuple[int, ...],
) -> Tensor | None:
    if len(pixels) != 2 or pixels[0] * pixels[1] >= _MOST_PIXELS:
        return None
    (row_starts, row_step, _), (column_starts, column_step, extent) = places
    library = library_for_floats(source, row_starts, column_starts)
    if library is None:
        return None
    target = torch.empty_like(source, dtype=dtype)
    maps = source.shape[0] * source.shape[1]
    rows, columns = row_starts.numel(), column_starts.numel()
    library.run(
        name, source, target, maps, row_starts, rows, row_step, column_starts, columns, column_step,
        extent, pixels[1],
    )  # fmt: skip
    return target
