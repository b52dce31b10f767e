"""The channels of the images that a network takes, where nobody declares them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from xconv.contents import modules
from xconv_bench.randomness import python_and_numpy_put_back

_COLOUR = 3


def channels_of(model: nn.Module) -> int:
    """Return the input channels of the first convolution of images; three without one."""
    images = (each.in_channels for each in modules(model) if isinstance(each, nn.Conv2d))
    return next(images, 0) or _COLOUR  # a lazy one has none yet


class Maker:
    """Makes networks, and remembers the shape of the images that they take.

    ``make`` is called with the image size. ``origin`` is what it calls, to tell makers apart.
    """

    def __init__(self, make: Callable[[int], nn.Module], origin: object = None) -> None:
        self.origin = origin
        self._make = make
        self._channels: int | None = None

    def __call__(self, image_size: int) -> nn.Module:
        """Return a new network."""
        model = self._make(image_size)
        self._channels = channels_of(model)
        return model

    def sample_shape(self, image_size: int) -> tuple[int, ...]:
        """Return (channels, size, size); a network is made for it where none was yet."""
        if self._channels is None:
            with python_and_numpy_put_back(), torch.random.fork_rng(devices=()):
                self(image_size)
        assert self._channels is not None
        return self._channels, image_size, image_size
