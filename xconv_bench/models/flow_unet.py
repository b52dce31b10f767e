"""A small U-Net that learns a velocity field on images, told the time and the class."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from xconv_bench.models.sizes import ImageSizes

_FREQUENCIES = 16
_HIGHEST_FREQUENCY = 100.0
"""The highest frequency of the waves that time is written in, in radians from 0 to 1."""


class FlowUNet(nn.Module):
    """v(x, t, c): the velocity of an image x at time t on its way to an image of class c.

    Two levels of ``width`` and 2 ``width`` channels over a bottom of 2 ``width``, each of a
    residual block on the way down and one on the way up; down by a strided convolution, up by
    nearest neighbours and a convolution; skips concatenated. Time and class enter every block as a
    shift of its channels. All activations are ReLU modules; the last convolution begins at zero,
    so that nothing moves before training.
    """

    sizes = ImageSizes(multiple=4)

    def __init__(self, image_channels: int = 1, classes: int = 10, width: int = 32) -> None:
        super().__init__()
        told, wide = 4 * width, 2 * width
        self.time = nn.Sequential(
            nn.Linear(2 * _FREQUENCIES, told), nn.ReLU(), nn.Linear(told, told)
        )
        self.label = nn.Embedding(classes, told)
        self.told = nn.ReLU()
        self.stem = nn.Conv2d(image_channels, width, 3, padding=1)
        self.down = nn.ModuleList(
            [ResidualBlock(width, width, told), ResidualBlock(wide, wide, told)]
        )
        self.shrink = nn.ModuleList(
            [
                nn.Conv2d(width, wide, 3, stride=2, padding=1),
                nn.Conv2d(wide, wide, 3, stride=2, padding=1),
            ]
        )
        self.bottom = ResidualBlock(wide, wide, told)
        self.enlarge = nn.ModuleList([_enlarging(wide, wide), _enlarging(wide, width)])
        self.up = nn.ModuleList(
            [ResidualBlock(2 * wide, wide, told), ResidualBlock(2 * width, width, told)]
        )
        self.norm = nn.GroupNorm(8, width)
        self.relu = nn.ReLU()
        self.head = nn.Conv2d(width, image_channels, 3, padding=1)
        nn.init.zeros_(self.head.weight)

    def forward(self, image: Tensor, time: Tensor, label: Tensor) -> Tensor:
        """Map (B, C, S, S), times (B,) in 0…1 and classes (B,) to (B, C, S, S); S in fours."""
        told = self.told(self.time(_waves(time)) + self.label(label))
        features = self.stem(image)
        skips = []
        for block, shrink in zip(self.down, self.shrink, strict=True):
            features = block(features, told)
            skips.append(features)
            features = shrink(features)
        features = self.bottom(features, told)
        for enlarge, block in zip(self.enlarge, self.up, strict=True):
            features = block(torch.cat([enlarge(features), skips.pop()], dim=1), told)
        velocity: Tensor = self.head(self.relu(self.norm(features)))
        return velocity


class ResidualBlock(nn.Module):
    """x + conv(ReLU(norm(conv(ReLU(norm x))) + shift)); x is projected where channels change."""

    def __init__(self, inputs: int, outputs: int, told: int) -> None:
        super().__init__()
        self.first_norm = nn.GroupNorm(8, inputs)
        self.first_relu = nn.ReLU()
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.shift = nn.Linear(told, outputs)
        self.second_norm = nn.GroupNorm(8, outputs)
        self.second_relu = nn.ReLU()
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, features: Tensor, told: Tensor) -> Tensor:
        """Map (B, inputs, H, W) and conditions (B, told) to (B, outputs, H, W)."""
        change = self.first(self.first_relu(self.first_norm(features)))
        change = self.second_norm(change) + self.shift(told)[:, :, None, None]
        change = self.second(self.second_relu(change))
        result: Tensor = self.skip(features) + change
        return result


def _enlarging(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(inputs, outputs, 3, padding=1))


def _waves(time: Tensor) -> Tensor:
    """Write times (B,) as sines and cosines (B, 2 frequencies)."""
    steps = torch.linspace(0, math.log(_HIGHEST_FREQUENCY), _FREQUENCIES, device=time.device)
    phases = time[:, None] * steps.exp().to(time.dtype)
    return torch.cat([phases.sin(), phases.cos()], dim=1)
