"""Windows of poolings: where they are, and the position of an input element in its window.

A window of ``extent`` elements per dimension numbers them in order, the last dimension fastest.
Together with the window, which follows from the position of the output, this number tells as much
as the index into the input that torch keeps in eight bytes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor

from xconv.differentiation import is_differentiated
from xconv.geometry import per_dimension
from xconv.layout import from_memory_order
from xconv.native import windows as native

MOST_POSITIONS = 256
"""Largest number of elements of a window that one byte can number."""

_AT_A_TIME = {"cpu": 2**18}
_AT_A_TIME_ELSEWHERE = 2**22
"""Outputs to process together: few enough for their indices, 8 bytes each, to be small."""

Region = tuple[slice, slice]
"""A slice of images and a slice of channels."""


@dataclass(frozen=True)
class Windows:
    """Windows over images of two or three dimensions, in the form of torch's poolings.

    Without a ``stride`` they are adaptive: ``size`` is that of the output, not of a window.
    """

    size: tuple[int, ...]
    stride: tuple[int, ...] = ()
    padding: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()
    ceil_mode: bool = False

    @property
    def is_adaptive(self) -> bool:
        """Return whether windows follow from the sizes of input and output."""
        return not self.stride

    def numbers(self) -> tuple[int, ...]:
        """Return all fields as the tuple of integers that an operator takes."""
        return (*self.size, *self.stride, *self.padding, *self.dilation, int(self.ceil_mode))

    @classmethod
    def of_numbers(cls, numbers: Sequence[int], dimensions: int) -> "Windows":
        """Return the windows with these ``numbers``, over images of ``dimensions``."""
        *sizes, ceil_mode = numbers
        starts = range(0, len(sizes), dimensions)
        fields = [tuple(sizes[start : start + dimensions]) for start in starts]
        size, stride, padding, dilation = fields if len(fields) > 1 else (*fields, (), (), ())
        return cls(size, stride, padding, dilation, bool(ceil_mode))

    def extent(self, pixels: tuple[int, ...]) -> tuple[int, ...]:
        """Return the elements of the largest window in each dimension of an image."""
        if not self.is_adaptive:
            return self.size
        return tuple(
            length // size if length % size == 0 else length // size + 2
            for length, size in zip(pixels, self.size, strict=True)
        )

    def bits(self, pixels: tuple[int, ...]) -> int | None:
        """Return the bits of a position in a window, 1 to 8, or None if it takes more."""
        positions = prod(self.extent(pixels))
        return next((bits for bits in range(1, 9) if positions <= 2**bits), None)

    def positions(self, indices: Tensor, pixels: tuple[int, ...]) -> Tensor:
        """Return the position in its window, uint8, of each of ``indices``.

        ``indices`` (images, channels, *output pixels) count the elements of one channel of an
        image.
        """
        places = list(self._places(indices, pixels))
        found = native.positions(indices, places, pixels)
        if found is not None:
            return found
        numbers, rest = torch.zeros_like(indices), indices.clone()
        for dimension, (start, step, extent) in enumerate(places):
            inner = prod(pixels[dimension + 1 :])
            place = rest // inner if inner > 1 else rest.clone()  # CPUs divide slowly
            rest.sub_(place, alpha=inner)
            place.sub_(start)
            numbers.mul_(extent).add_(place.floor_divide_(step) if step > 1 else place)
        return numbers.to(torch.uint8)

    def indices(self, positions: Tensor, pixels: tuple[int, ...]) -> Tensor:
        """Return the indices, int64, of the elements at ``positions`` in their windows."""
        places = list(self._places(positions, pixels))
        found = native.indices(positions, places, pixels)
        if found is not None:
            return found
        rest, indices = positions.to(torch.int64), torch.zeros_like(positions, dtype=torch.int64)
        for dimension, (start, step, extent) in reversed(list(enumerate(places))):
            place = rest
            if dimension > 0:
                rest = place // extent
                place.sub_(rest, alpha=extent)
            indices.add_(place.mul_(step).add_(start), alpha=prod(pixels[dimension + 1 :]))
        return indices

    def _places(self, output: Tensor, pixels: tuple[int, ...]) -> Iterator[tuple[Tensor, int, int]]:
        """Yield for each dimension the starts of windows, the step inside one, and its extent."""
        count = len(pixels)
        for dimension, extent in enumerate(self.extent(pixels)):
            length = output.shape[2 + dimension]
            starts = torch.arange(length, device=output.device)
            if self.is_adaptive:
                starts = starts.mul_(pixels[dimension]).floor_divide_(length)
            else:
                starts.mul_(self.stride[dimension]).sub_(self.padding[dimension])
            shape = [length if d == dimension else 1 for d in range(count)]
            yield starts.view(shape), 1 if self.is_adaptive else self.dilation[dimension], extent


def is_kept(input: Tensor, dimensions: int) -> bool:
    """Return whether a backward pass may follow, and ``input`` has images that torch pools."""
    return (
        is_differentiated(input)
        and input.dim() in (dimensions + 1, dimensions + 2)
        and input.numel() > 0
        and input.is_floating_point()
    )


def steps(stride: Any, size: tuple[int, ...]) -> tuple[int, ...]:
    """Return the strides of windows of ``size`` in each dimension; None means ``size``."""
    if stride is None or (isinstance(stride, Sequence) and not stride):
        return size
    return per_dimension(stride, len(size))


def sizes_of_output(input: Tensor, dimensions: int, output_size: Any) -> tuple[int, ...]:
    """Return the pixels of an adaptive pooling's output.

    ``output_size`` may hold None for those of the input. The result is empty if torch would refuse
    them, or has nothing to do.
    """
    sizes = output_size if isinstance(output_size, Sequence) else (output_size,) * dimensions
    pixels = input.shape[-dimensions:]
    if len(sizes) != dimensions:
        return ()
    found = tuple(n if s is None else s for s, n in zip(sizes, pixels, strict=True))
    return found if min(found) > 0 else ()


def parts(output: torch.Size, device: torch.device) -> Iterator[Region]:
    """Yield slices of images and channels of an output (images, channels, *pixels)."""
    images, channels = output[:2]
    most = _AT_A_TIME.get(device.type, _AT_A_TIME_ELSEWHERE)
    together = max(1, most // max(1, prod(output[2:])))
    some_channels, some_images = min(channels, together), max(1, together // channels)
    for image in range(0, images, some_images):
        for channel in range(0, channels, some_channels):
            yield (
                slice(image, min(image + some_images, images)),
                slice(channel, min(channel + some_channels, channels)),
            )


def lying_as_input(like: Tensor, pixels: Sequence[int], channels_last: bool) -> Tensor:
    """Return an empty tensor with images and channels of ``like`` and these ``pixels``."""
    images, channels = like.shape[:2]
    if channels_last:
        return from_memory_order(like.new_empty((images, *pixels, channels)), True)
    return like.new_empty((images, channels, *pixels))
