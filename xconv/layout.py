"""The shape of a tensor together with the order in which it lies in memory."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """Shape, dtype, device and memory order of a dense tensor (batch, channels, *pixels).

    The tensor is contiguous, or has its channels last.
    """

    shape: torch.Size
    dtype: torch.dtype
    device: torch.device
    channels_last: bool = False

    @classmethod
    def of(cls, tensor: Tensor) -> "Layout":
        """Return the layout of ``tensor``; any order but channels-last counts as contiguous."""
        return cls(tensor.shape, tensor.dtype, tensor.device, is_channels_last(tensor))

    def empty(self, images: slice) -> Tensor:
        """Return a new tensor for some ``images`` of the batch, in this layout."""
        batch, channels, *pixels = self.shape
        count = len(range(batch)[images])
        shape = (count, *pixels, channels) if self.channels_last else (count, channels, *pixels)
        lines = torch.empty(shape, dtype=self.dtype, device=self.device)
        return from_memory_order(lines, self.channels_last)


def is_channels_last(tensor: Tensor) -> bool:
    """Return whether ``tensor`` is dense with its channels innermost, and not contiguous."""
    return tensor.dim() > 2 and not tensor.is_contiguous() and tensor.movedim(1, -1).is_contiguous()


def in_memory_order(tensor: Tensor, channels_last: bool) -> Tensor:
    """Return ``tensor`` with its dimensions in memory order, as a view wherever possible."""
    return (tensor.movedim(1, -1) if channels_last else tensor).contiguous()


def from_memory_order(tensor: Tensor, channels_last: bool) -> Tensor:
    """Undo ``in_memory_order``: return a view with the channels in second place again."""
    return tensor.movedim(-1, 1) if channels_last else tensor


def arranged(numbers: Tensor, shape: tuple[int, ...], channels_last: bool) -> Tensor:
    """Return a flat tensor as images of ``shape`` whose memory order is that of ``numbers``."""
    if channels_last:
        shape = (shape[0], *shape[2:], shape[1])
    return from_memory_order(numbers.view(shape), channels_last)
