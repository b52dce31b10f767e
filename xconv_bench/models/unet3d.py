"""A small volumetric U-Net, as medical segmentation has them: PReLU and instance normalisation."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class UNet3d(nn.Module):
    """(B, 1, D, H, W) -> (B, 1, D, H, W) logits; D, H and W multiples of 2^depth.

    A level is two 3×3×3 convolutions, each with instance normalisation and PReLU; down by a
    strided convolution, up by a transposed one; skips concatenated.
    """

    def __init__(self, width: int = 8, depth: int = 2) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(depth + 1)]
        pairs = list(zip([1, *widths], widths, strict=False))
        self.down = nn.ModuleList(_level(inputs, outputs) for inputs, outputs in pairs[:-1])
        self.shrink = nn.ModuleList(nn.Conv3d(width, width, 2, stride=2) for width in widths[:-1])
        self.bottom = _level(*pairs[-1])
        self.enlarge = nn.ModuleList(
            nn.ConvTranspose3d(2 * width, width, 2, stride=2) for width in widths[-2::-1]
        )
        self.up = nn.ModuleList(_level(2 * width, width) for width in widths[-2::-1])
        self.head = nn.Conv3d(width, 1, 1)

    def forward(self, volume: Tensor) -> Tensor:
        """Return a logit for each voxel."""
        features, skips = volume, []
        for level, shrink in zip(self.down, self.shrink, strict=True):
            features = level(features)
            skips.append(features)
            features = shrink(features)
        features = self.bottom(features)
        for enlarge, level in zip(self.enlarge, self.up, strict=True):
            features = level(torch.cat([enlarge(features), skips.pop()], dim=1))
        logits: Tensor = self.head(features)
        return logits


def _level(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(inputs, outputs, 3, padding=1, bias=False),
        nn.InstanceNorm3d(outputs, affine=True),
        nn.PReLU(outputs),
        nn.Conv3d(outputs, outputs, 3, padding=1, bias=False),
        nn.InstanceNorm3d(outputs, affine=True),
        nn.PReLU(outputs),
    )
