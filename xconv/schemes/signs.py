"""Independent probes of random signs, sketched and used by kernels in C on a CPU.

The estimate is that of ``xconv.schemes.independent`` with the same probes. It is found in one of
the two ways named there, by what each costs with these kernels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from xconv.geometry import Geometry, pixels
from xconv.layout import Layout, in_memory_order, is_channels_last
from xconv.narrowing import STREAM
from xconv.native.calling import Library
from xconv.native.library import library_for
from xconv.native.probes import DrawTable, SignProbes, View
from xconv.schemes.base import summed

if TYPE_CHECKING:
    from xconv.schemes.scheme import Dials

_LANES, _TOGETHER = 16, 8
"""Numbers of a vector, and outputs that a kernel takes together: what is left of both is lost."""
_MOST = 2**31
"""Numbers that a kernel finds by their place in 32 bits."""


def library_of_sketch(layout: Layout, probing: Dials, lines: Tensor) -> Library | None:
    """Return the library of kernels if these may sketch ``lines``, images in memory order."""
    is_known = layout.dtype == torch.float32 and probing.distribution == "rademacher"
    return library_for(lines) if is_known else None


def library_of_estimate(
    layout: Layout, probing: Dials, kept: Sequence[Tensor], grad_output: Tensor
) -> Library | None:
    """Return the library of kernels if these may estimate a gradient from what was ``kept``."""
    if layout.dtype != torch.float32 or probing.distribution != "rademacher":
        return None
    is_known = grad_output.dtype == torch.float32 and kept[0].dtype == torch.bfloat16
    if not is_known or library_for(*kept) is None:  # before anything is done to a simulated tensor
        return None
    return library_for(in_memory_order(grad_output, is_channels_last(grad_output)))


def sketched(
    library: Library, parts: DrawTable, lines: Tensor, seed: Tensor, layout: Layout, columns: int
) -> tuple[Tensor, ...]:
    """Return the sketch, (B, C, columns) in bfloat16, and the means unless probes are shared."""
    probes = SignProbes(library, parts, int(seed), columns)
    sketch, means = probes.sketch(lines, layout.channels_last, STREAM)
    return (sketch,) if means is None else (sketch, means)


def estimated(
    library: Library,
    parts: DrawTable,
    kept: Sequence[Tensor],
    seed: Tensor,
    grad_output: Tensor,
    geometry: Geometry,
    layout: Layout,
    weight: Tensor,
    room: int,
) -> Tensor:
    """Return the weight gradient; temporary tensors have about ``room`` elements at most."""
    probes = SignProbes(library, parts, int(seed), kept[0].shape[2])
    coefficients = probes.coefficients(kept[0], None if parts.is_shared else kept[1])
    rows, batch = coefficients.shape[1], layout.shape[0]
    view = _view(geometry, layout.shape, rows, weight.shape, grad_output.shape, room)
    if view is None:
        return summed(
            _expanded(probes, coefficients, grad_output, geometry, layout, weight, room)
        )  # fmt: skip
    last = is_channels_last(grad_output)
    lines = in_memory_order(grad_output, last)
    gradient = torch.zeros(weight.shape, dtype=torch.float32, device=layout.device)
    for images in _slices(batch, view.images):
        probes.gradient(coefficients, view, images.start, lines[images], last, gradient)
    return gradient


def _expanded(
    probes: SignProbes,
    coefficients: Tensor,
    grad_output: Tensor,
    geometry: Geometry,
    layout: Layout,
    weight: Tensor,
    room: int,
) -> Iterator[Tensor]:
    """Yield torch's own weight gradients of stand-ins of some images at a time."""
    last = layout.channels_last
    for images in _slices(layout.shape[0], max(1, room // prod(layout.shape[1:]))):
        expanded = layout.empty(images)
        probes.expand(coefficients, images.start, in_memory_order(expanded, last), last)
        yield geometry.weight_gradient(grad_output[images], expanded, weight)


def _slices(batch: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, batch)) for start in range(0, batch, size))


@lru_cache(maxsize=1024)
def _view(
    geometry: Geometry, input: torch.Size, rows: int, weight: torch.Size, output: torch.Size,
    room: int,
) -> View | None:  # fmt: skip
    """Return how to correlate, or None where it is quicker to form stand-ins, or the only way."""
    if geometry.transposed or geometry.border or geometry.groups != 1:
        return None
    image, seen, kernel = input[2:], output[2:], weight[2:]
    padded = [n + 2 * p for n, p in zip(image, geometry.padding, strict=True)]
    needed, copy = output[1] * prod(kernel) * rows, prod(padded) * rows
    if needed + copy > min(room, _MOST):
        return None
    correlating = _correlating(geometry, input, rows, weight, output)
    if correlating > _expanding(input, rows, weight, output):
        return None
    missing = 3 - geometry.dimensions
    sizes = [
        [*[fill] * missing, *numbers]
        for fill, numbers in (
            (1, image), (1, seen), (1, kernel), (1, geometry.stride), (0, geometry.padding),
            (1, geometry.dilation), (1, padded),
        )
    ]  # fmt: skip
    shape = torch.tensor(sizes, dtype=torch.int64, device="cpu")
    return View(shape, prod(padded), room // needed, room // copy)


def _correlating(
    geometry: Geometry, input: torch.Size, rows: int, weight: torch.Size, output: torch.Size
) -> int:
    """Return the multiplications for an image if it is correlated, those in vain included."""
    offsets = prod(weight[2:])
    length = rows * weight[-1] if geometry.dilation[-1] == 1 else rows
    lanes = offsets * rows // length * -(-length // _LANES) * _LANES
    outputs = -(-output[1] // _TOGETHER) * _TOGETHER
    return outputs * pixels(output) * lanes + output[1] * offsets * rows * input[1]


def _expanding(input: torch.Size, rows: int, weight: torch.Size, output: torch.Size) -> int:
    """Return the multiplications for an image if its stand-in is formed, which are slower."""
    return 2 * rows * prod(input[1:]) + prod(weight) * min(pixels(input), pixels(output))
