"""Independent probes of random signs, sketched and used by kernels in C on a CPU.

The estimate is that of ``xconv.schemes.independent`` with the same probes. It is found in one of
the two ways named there, by what each costs with these kernels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from xconv.geometry import Geometry, pixels
from xconv.layout import Layout, in_memory_order, is_channels_last
from xconv.narrowing import rounding_seed
from xconv.native import probes as native
from xconv.native.calling import Library
from xconv.native.library import library_for
from xconv.schemes.base import summed

if TYPE_CHECKING:
    from xconv.schemes.scheme import Dials

_LANES, _TOGETHER = 16, 8
"""Numbers of a vector, and outputs that the kernel sees together: what is left of both is lost."""


class View(NamedTuple):
    """How output gradients are correlated with probes: sizes for the kernel, images at a time."""

    shape: Tensor
    padded: int
    images: int


def library_of_sketch(layout: Layout, probing: Dials, lines: Tensor) -> Library | None:
    """Return the library of kernels if these may sketch ``lines``, images in memory order."""
    is_fitting = layout.dtype == torch.float32 and probing.distribution == "rademacher"
    return library_for(lines) if is_fitting else None


def library_of_estimate(
    layout: Layout, probing: Dials, kept: Sequence[Tensor], grad_output: Tensor
) -> Library | None:
    """Return the library of kernels if these may estimate a gradient from what was ``kept``."""
    if grad_output.dtype != torch.float32 or kept[0].dtype != torch.bfloat16:
        return None
    if library_of_sketch(layout, probing, kept[0]) is None:
        return None
    return library_for(*kept, in_memory_order(grad_output, is_channels_last(grad_output)))


def sketched(
    library: Library, parts: native.Parts, lines: Tensor, seed: Tensor, layout: Layout, count: int
) -> tuple[Tensor, ...]:
    """Return the sketch, (B, C, count) in bfloat16, followed by means unless probes are shared."""
    probes = native.Probes.draw(library, parts, int(seed))
    sketch, means = native.sketch(
        library, probes, lines, count, layout.channels_last, rounding_seed(seed),
        not parts.is_shared,
    )  # fmt: skip
    return (sketch,) if means is None else (sketch, means)


def estimated(
    library: Library,
    parts: native.Parts,
    kept: Sequence[Tensor],
    seed: Tensor,
    grad_output: Tensor,
    geometry: Geometry,
    layout: Layout,
    weight: Tensor,
    room: int,
) -> Tensor:
    """Return the weight gradient; temporary tensors have about ``room`` elements at most."""
    sketch, means = kept[0], None if parts.is_shared else kept[1]
    probes = native.Probes.draw(library, parts, int(seed))
    factors = native.coefficients(library, probes, sketch, means)
    view = _view(layout, factors.shape[1], geometry, weight.shape, grad_output.shape, room)
    if view is None:
        return summed(_expanded(library, probes, factors, sketch.shape[2], grad_output, geometry,
                                layout, weight, room))
    outputs, kernel = grad_output.shape[1], weight.shape[2:]
    last = is_channels_last(grad_output)
    offsets = prod(kernel)
    total = grad_output.new_zeros(outputs * offsets, layout.shape[1])
    for images in _slices(layout.shape[0], view.images):
        lines = in_memory_order(grad_output[images], last)
        seen = native.see(
            library, probes, view.shape, view.padded, lines, sketch.shape[2], factors.shape[1],
            offsets, images, last,
        )  # fmt: skip
        native.contract(library, seen, factors[images], total)
    return total.view(outputs, *kernel, layout.shape[1]).movedim(-1, 1)


def _expanded(
    library: Library,
    probes: native.Probes,
    factors: Tensor,
    count: int,
    grad_output: Tensor,
    geometry: Geometry,
    layout: Layout,
    weight: Tensor,
    room: int,
) -> Iterator[Tensor]:
    """Yield torch's own weight gradients of stand-ins of some images at a time."""
    for images in _slices(layout.shape[0], max(1, room // prod(layout.shape[1:]))):
        expanded = layout.empty(images)
        lines = in_memory_order(expanded, layout.channels_last)
        native.expand(library, probes, factors, count, images, layout.channels_last, lines)
        yield geometry.weight_gradient(grad_output[images], expanded, weight)


def _slices(batch: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, batch)) for start in range(0, batch, size))


@lru_cache(maxsize=1024)
def _view(
    layout: Layout, rows: int, geometry: Geometry, weight: torch.Size, output: torch.Size, room: int
) -> View | None:
    """Return how to correlate, or None where it is quicker to form stand-ins, or the only way."""
    if geometry.transposed or geometry.border or geometry.groups != 1:
        return None
    missing = 3 - geometry.dimensions
    image, seen, kernel = layout.shape[2:], output[2:], weight[2:]
    padded = [n + 2 * p for n, p in zip(image, geometry.padding, strict=True)]
    offsets = prod(kernel)
    needed = output[1] * offsets * rows
    length = rows * kernel[-1] if geometry.dilation[-1] == 1 else rows
    lines = offsets * rows // length * -(-length // _LANES) * _LANES
    correlating = -(-output[1] // _TOGETHER) * _TOGETHER * pixels(output) * lines
    correlating += needed * layout.shape[1]
    expanding = rows * prod(layout.shape[1:])
    expanding += prod(weight) * min(pixels(layout.shape), pixels(output))
    if needed > room or correlating > expanding:
        return None
    sizes = [
        [*[fill] * missing, *numbers]
        for fill, numbers in (
            (1, image), (1, seen), (1, kernel), (1, geometry.stride), (0, geometry.padding),
            (1, geometry.dilation), (1, padded),
        )
    ]  # fmt: skip
    shape = torch.tensor(sizes, dtype=torch.int64, device="cpu")
    return View(shape, prod(padded), max(1, room // needed))
