"""Sketches by independent probes of random signs, and estimates from them: ``probes.c``.

The probes are those that torch's operators draw, bit for bit; sums of products are in another
order, which differs from processor to processor with torch, too. Floating-point numbers are
float32, but for sketches, which are bfloat16, and all tensors are contiguous.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from xconv.bits import pieces
from xconv.native.calling import Library

_CPU = torch.device("cpu")
_WORD = 64
_EIGHT = 8
"""Columns that are sketched together."""
_BEYOND = 32
"""Numbers that a vector may read beyond the last probe, or the last coefficient."""


@dataclass(frozen=True)
class Parts:
    """Which columns of which images are drawn together, and their number of pixels.

    Args:
        table: (parts, 6), int64: first image and end, first column and end, stream of the random
            numbers, and the place of their bits among those of all parts, in words.
        words: number of words of all parts.
        pixels: number of pixels of an image.
        is_shared: whether all images of a part have the same probes.
        piece: number of signs that are made of consecutive words.
    """

    table: Tensor
    words: int
    pixels: int
    is_shared: bool
    piece: int

    @classmethod
    def of(cls, rows: Sequence[tuple[slice, slice, int]], pixels: int, is_shared: bool) -> Parts:
        """Return parts with these images, columns and streams."""
        table, words = [], 0
        for images, columns, stream in rows:
            table.append((images.start, images.stop, columns.start, columns.stop, stream, words))
            sets = 1 if is_shared else images.stop - images.start
            words += -(-sets * (columns.stop - columns.start) * pixels // _WORD)
        piece = next(pieces(words * _WORD + 2**62, _CPU)).stop
        return cls(torch.tensor(table, device=_CPU), words, pixels, is_shared, piece)


@dataclass(frozen=True)
class Probes:
    """Probes of one call: parts and the bits of their signs."""

    parts: Parts
    bits: Tensor

    @classmethod
    def draw(cls, library: Library, parts: Parts, seed: int) -> Probes:
        """Return the probes that a seed stands for."""
        bits = torch.empty(parts.words, dtype=torch.int64, device=_CPU)
        library.run(
            "draw_probes", parts.table, len(parts.table), parts.pixels, parts.is_shared, seed, bits
        )  # fmt: skip
        return cls(parts, bits)

    def in_c(self) -> tuple[Tensor | int, ...]:
        """Return the first arguments of each function."""
        parts = self.parts
        return parts.table, parts.pixels, parts.is_shared, parts.piece, self.bits


def sketch(
    library: Library, probes: Probes, lines: Tensor, columns: int, last: bool, seed: int,
    with_means: bool,
) -> tuple[Tensor, Tensor | None]:  # fmt: skip
    """Return the sketch of images, (B, C, columns) in bfloat16, and their means (B, C), if wanted.

    ``lines`` are the images in memory order, with their channels ``last`` or not; the ``seed``
    rounds the sketch.
    """
    batch, channels = len(lines), lines.shape[-1 if last else 1]
    means = lines.new_empty(batch, channels) if with_means else None
    sums = lines.new_empty(batch * channels * -(-columns // _EIGHT) * _EIGHT)
    found = torch.empty(batch, channels, columns, dtype=torch.bfloat16, device=_CPU)
    library.run(
        "sketch_probes", *probes.in_c(), lines, batch, channels, columns, last, seed, means, sums,
        found, torch.get_num_threads(),
    )  # fmt: skip
    return found, means


def coefficients(
    library: Library, probes: Probes, sketch: Tensor, means: Tensor | None
) -> Tensor:
    """Return what to multiply each column by for each channel, (B, columns, C).

    With ``means`` there is one column more, of ones. Some memory follows the numbers.
    """
    batch, channels, columns = sketch.shape
    shape = batch, columns + (means is not None), channels
    room = torch.empty(prod(shape) + _BEYOND, dtype=torch.float32, device=_CPU)
    found = room[:-_BEYOND].view(shape)
    library.run(
        "restore_coefficients", *probes.in_c(), sketch, means, batch, channels, columns, found,
        torch.get_num_threads(),
    )  # fmt: skip
    return found


def expand(
    library: Library, probes: Probes, coefficients: Tensor, columns: int, images: slice,
    last: bool, lines: Tensor,
) -> None:  # fmt: skip
    """Write the stand-ins of some images to ``lines``, in memory order."""
    rows, channels = coefficients.shape[1:]
    library.run(
        "expand_probes", *probes.in_c(), images.start, len(lines), coefficients, channels, columns,
        rows > columns, last, lines, torch.get_num_threads(),
    )  # fmt: skip


def see(
    library: Library, probes: Probes, shape: Tensor, padded: int, lines: Tensor, columns: int,
    rows: int, offsets: int, images: slice, last: bool,
) -> Tensor:  # fmt: skip
    """Return what outputs see of the probes of some images, (O · offsets, images · rows).

    ``lines`` are the output gradients in memory order. ``shape`` (7, 3), int64, has sizes of image,
    output and kernel, stride, padding, dilation and the sizes of a padded image, of ``padded``
    pixels; missing dimensions come first.
    """
    batch, outputs = len(lines), lines.shape[-1 if last else 1]
    slots = min(torch.get_num_threads(), batch)
    room = padded * rows + _BEYOND + lines[0].numel() // outputs
    rooms, seen = lines.new_empty(slots * room), lines.new_empty(outputs * offsets, batch * rows)
    library.run(
        "see_probes", *probes.in_c(), shape, lines, images.start, batch, outputs, columns,
        rows > columns, last, slots, room, rooms, seen,
    )  # fmt: skip
    return seen


def contract(library: Library, seen: Tensor, coefficients: Tensor, result: Tensor) -> None:
    """Add ``seen`` (n, m) times ``coefficients`` (m, C) of ``coefficients`` to ``result`` (n, C)."""
    library.run(
        "contract_seen", seen, coefficients, *seen.shape, result.shape[1], result,
        torch.get_num_threads(),
    )  # fmt: skip
