"""The skip network of deep image prior (Ulyanov, Vedaldi and Lempitsky, CVPR 2018), small."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SkipNetwork(nn.Module):
    """Noise (B, inputs, S, S) -> image (B, channels, S, S) from 0 to 1; S a multiple of 2^depth.

    Down by strided convolutions, up by bilinear interpolation, with a narrow skip at each level.
    Two changes to the published one: ReLU instead of LeakyReLU, which methods can treat, and
    instance normalisation, which is batch normalisation of a single image, and the same in
    evaluation.
    """

    def __init__(
        self, inputs: int = 16, channels: int = 3, width: int = 32, skip: int = 4, depth: int = 3
    ) -> None:
        super().__init__()
        above = [inputs, *[width] * (depth - 1)]
        self.down = nn.ModuleList(
            nn.Sequential(*_block(count, width, stride=2), *_block(width, width)) for count in above
        )
        self.skip = nn.ModuleList(nn.Sequential(*_block(count, skip, kernel=1)) for count in above)
        self.enlarge = nn.Upsample(scale_factor=2, mode="bilinear")
        self.up = nn.ModuleList(
            nn.Sequential(*_block(width + skip, width), *_block(width, width, kernel=1))
            for _ in above
        )
        self.head = nn.Sequential(nn.Conv2d(width, channels, 1), nn.Sigmoid())

    def forward(self, noise: Tensor) -> Tensor:
        """Return the image that the weights make of the noise."""
        features, skips = noise, []
        for down, skip in zip(self.down, self.skip, strict=True):
            skips.append(skip(features))
            features = down(features)
        for up in self.up:
            features = up(torch.cat([self.enlarge(features), skips.pop()], dim=1))
        image: Tensor = self.head(features)
        return image


def _block(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2),
        nn.InstanceNorm2d(outputs, affine=True),
        nn.ReLU(),
    ]
