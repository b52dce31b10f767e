"""Sketches by independent probes of random signs, and estimates from them: ``probes.c``.

The probes are those that torch's operators draw, bit for bit; sums of products are in another
order, which differs from processor to processor with torch, too. Floating-point numbers are
float32, but for sketches, which are bfloat16, and all tensors are contiguous.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor

from xconv.native.calling import Library
from xconv.native.numbers import SIGNS_OF_A_PIECE

_CPU = torch.device("cpu")
_WORD = 64
_EIGHT = 8
"""Columns that are sketched together."""
_PRODUCTS_OF_A_THREAD = 2**22
"""Fewer are done before a thread has started."""
_BEYOND = 32
"""Numbers that a vector may read beyond the last probe, or the last coefficient."""


@dataclass(frozen=True)
class DrawTable:
    """Say which columns of which images are drawn together, and how many pixels these have.

    Args:
        table: (parts, 6), int64: first image and end, first column and end, stream of the random
            numbers, and the place of their bits among those of all parts, in words.
        words: number of words of all parts.
        pixels: number of pixels of an image.
        is_shared: whether all images of a part have the same probes.
    """

    table: Tensor
    words: int
    pixels: int
    is_shared: bool

    def fits(self, room: int) -> bool:
        """Return whether the signs of all parts together take no more than ``room`` float32."""
        return 2 * self.words <= room

    @classmethod
    def of(
        cls, rows: Sequence[tuple[slice, slice, int]], pixels: int, is_shared: bool
    ) -> DrawTable:
        """Return the table for parts of these images, columns and streams."""
        table, words = [], 0
        for images, columns, stream in rows:
            table.append((images.start, images.stop, columns.start, columns.stop, stream, words))
            sets = 1 if is_shared else images.stop - images.start
            words += -(-sets * (columns.stop - columns.start) * pixels // _WORD)
        numbers = torch.tensor(table, dtype=torch.int64, device=_CPU)
        return cls(numbers, words, pixels, is_shared)


class View(NamedTuple):
    """Sizes that tell where outputs see images."""

    shape: Tensor
    """Sizes of image, output and kernel, stride, padding, dilation and the sizes of a padded image.

    (7, 3), int64; missing dimensions come first.
    """
    padded: int
    """Number of pixels of a padded image."""
    images: int
    """Number of images to take at a time."""
    threads: int
    """Largest number of threads, each of which has a padded image of its own."""


class SignProbes:
    """Probes of one call: what is drawn together, the seed it is drawn from, and bits of signs.

    ``columns`` is their number for an image. Images are given as lines: in memory order, with their
    channels last or not.
    """

    def __init__(self, library: Library, parts: DrawTable, seed: int, columns: int) -> None:
        self._library, self._parts, self._seed, self._columns = library, parts, seed, columns
        self._bits = torch.empty(parts.words, dtype=torch.int64, device=_CPU)

    def sketch(self, lines: Tensor, last: bool, rounding: int) -> tuple[Tensor, Tensor | None]:
        """Draw the probes; return the sketch, (B, C, columns) in bfloat16, and means, (B, C).

        There are no means if probes are shared; ``rounding`` is the stream that rounds the sketch.
        """
        batch, channels, columns = len(lines), lines.shape[-1 if last else 1], self._columns
        means = None if self._parts.is_shared else lines.new_empty(batch, channels)
        sums = lines.new_empty(batch * channels * -(-columns // _EIGHT) * _EIGHT)
        found = lines.new_empty((batch, channels, columns), dtype=torch.bfloat16)
        self._library.run(
            "sketch_probes", *self._in_c(), len(self._parts.table), self._seed, rounding, lines,
            batch, channels, columns, last, means, sums, found, _threads(lines.numel() * columns),
        )  # fmt: skip
        return found, means

    def coefficients(self, sketch: Tensor, means: Tensor | None) -> Tensor:
        """Draw the probes; return what to multiply them by for each channel, (B, columns, C).

        With ``means`` there is one column more, of ones. Some memory follows the numbers.
        """
        batch, channels, columns = sketch.shape
        shape = batch, columns + (means is not None), channels
        room = torch.empty(prod(shape) + _BEYOND, dtype=torch.float32, device=_CPU)
        self._library.run(
            "restore_coefficients", *self._in_c(), len(self._parts.table), self._seed, sketch,
            means, batch, channels, columns, room, _threads(sketch.numel()),
        )  # fmt: skip
        return room[:-_BEYOND].view(shape)

    def expand(self, coefficients: Tensor, first: int, lines: Tensor, last: bool) -> None:
        """Write the stand-ins of images from the ``first`` on to ``lines``."""
        rows, channels = coefficients.shape[1:]
        self._library.run(
            "expand_probes", *self._in_c(), first, len(lines), coefficients, channels,
            self._columns, rows > self._columns, last, lines, _threads(lines.numel() * rows),
        )  # fmt: skip

    def gradient(
        self, coefficients: Tensor, view: View, first: int, lines: Tensor, last: bool,
        gradient: Tensor,
    ) -> None:  # fmt: skip
        """Add the weight gradient of images from the ``first`` on to ``gradient``, (O, C, *kernel).

        ``lines`` are their output gradients.
        """
        rows, channels = coefficients.shape[1:]
        batch, outputs = len(lines), len(gradient)
        offsets = gradient[0].numel() // channels
        slots = min(batch, view.threads, _threads(lines.numel() * offsets * rows))
        room = view.padded * rows + _BEYOND + lines[0].numel() // outputs
        rooms = lines.new_empty(slots * room)
        seen = lines.new_empty(outputs * offsets * batch * rows)
        self._library.run(
            "see_probes", *self._in_c(), view.shape, lines, first, batch, outputs, self._columns,
            rows > self._columns, last, slots, room, rooms, seen,
        )  # fmt: skip
        self._library.run(
            "contract_seen", seen, coefficients[first:], outputs, offsets, batch * rows, channels,
            gradient, _threads(gradient.numel() * batch * rows),
        )  # fmt: skip

    def _in_c(self) -> tuple[Tensor | int, ...]:
        """Return the first arguments of each function that takes probes."""
        parts = self._parts
        return parts.table, parts.pixels, parts.is_shared, SIGNS_OF_A_PIECE, self._bits


def _threads(products: int) -> int:
    """Return the number of threads for so many products: a thread of its own has to pay."""
    return min(torch.get_num_threads(), 1 + products // _PRODUCTS_OF_A_THREAD)
