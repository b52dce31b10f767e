"""A single convolution as a network: ``conv:64``, or ``conv:64-128`` with other output channels."""

from __future__ import annotations

import re
from functools import partial

import torch
from torch import Tensor, nn

from xconv_bench.errors import UsageError
from xconv_bench.models.base import Architecture, square_image
from xconv_bench.objectives.objective import OutputSum

PREFIX = "conv:"

_CHANNELS = re.compile(r"(?P<inputs>[1-9]\d{0,8})(-(?P<outputs>[1-9]\d{0,8}))?")
_KERNEL = 3


class Layer(nn.Module):
    """A 3×3 convolution within a network: its input has a gradient too."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, _KERNEL, padding=_KERNEL // 2)

    def forward(self, image: Tensor) -> Tensor:
        """Map (B, inputs, S, S) to (B, outputs, S, S)."""
        if torch.is_grad_enabled():
            image = image.detach().requires_grad_()
        output: Tensor = self.conv(image)
        return output


def find(name: str) -> Architecture:
    """Return the layer of that name, without ``PREFIX``. Raises UsageError for other names."""
    match = _CHANNELS.fullmatch(name)
    if match is None:
        raise UsageError(
            f"'{PREFIX}{name}' names no layer: expected channels, as in {PREFIX}64, or those of "
            f"input and output, as in {PREFIX}64-128"
        )
    inputs = int(match["inputs"])
    outputs = int(match["outputs"] or inputs)
    return Architecture(
        name=f"{PREFIX}{name}",
        family="layer",
        make=partial(_make, inputs, outputs),
        sample_shape=square_image(inputs),
        objective=OutputSum(),
        image_size=64,
    )


def _make(inputs: int, outputs: int, image_size: int) -> nn.Module:
    return Layer(inputs, outputs)
