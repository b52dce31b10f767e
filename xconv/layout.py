"""Shape of a tensor and the order in which it lies in memory."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """A dense tensor (batch, channels, *pixels): contiguous, or with its channels last."""

    shape: torch.Size
    dtype: torch.dtype
    device: torch.device
    channels_last: bool = False

    @classmethod
    def of(cls, tensor: Tensor) -> "Layout":
        """The layout of ``tensor``; anything that is not channels-last counts as contiguous."""
        return cls(tensor.shape, tensor.dtype, tensor.device, is_channels_last(tensor))

    def empty(self, images: slice) -> Tensor:
        """A new tensor that lies as these images of the batch do."""
        batch, channels, *pixels = self.shape
        count = len(range(batch)[images])
        shape = (count, *pixels, channels) if self.channels_last else (count, channels, *pixels)
        lines = torch.empty(shape, dtype=self.dtype, device=self.device)
        return from_memory_order(lines, self.channels_last)


def is_channels_last(tensor: Tensor) -> bool:
    """Whether ``tensor`` is dense with its channels innermost, and not contiguous as well."""
    return tensor.dim() > 2 and not tensor.is_contiguous() and tensor.movedim(1, -1).is_contiguous()


def in_memory_order(tensor: Tensor, channels_last: bool) -> Tensor:
    """``tensor`` with its dimensions in the order of a layout; a view unless it lies otherwise."""
    return (tensor.movedim(1, -1) if channels_last else tensor).contiguous()


def from_memory_order(tensor: Tensor, channels_last: bool) -> Tensor:
    """The way back: a view with the channels in second place again."""
    return tensor.movedim(-1, 1) if channels_last else tensor


def arranged(numbers: Tensor, shape: tuple[int, ...], channels_last: bool) -> Tensor:
    """A flat tensor of numbers as images of ``shape`` that lie so in memory."""
    if channels_last:
        shape = (shape[0], *shape[2:], shape[1])
    return from_memory_order(numbers.view(shape), channels_last)
