"""TriConvUNeXt (Ma, Gu and Wang, Journal of Imaging Informatics in Medicine, 2024)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

_SIDE = 3


class TriConvUNeXt(nn.Module):
    """(B, 3, S, S) -> (B, 1, S, S) logits; S a multiple of 16.

    Four levels of 32, 64, 128 and 256 channels over a bottom of 256, each a block in the form of
    ConvNeXt whose convolution is three: a deformable, a depthwise and a dilated one, on a quarter,
    a half and a quarter of the channels. As the authors published it; the XConv paper changed
    strides, the dilation and the padding of the first layer, which its layer could not do.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        widths = [width, 2 * width, 4 * width, 8 * width, 8 * width]
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 7, padding=3, padding_mode="reflect"),
            nn.BatchNorm2d(width),
            nn.GELU(),
            TripleBlock(width),
        )
        self.down = nn.ModuleList(
            _shrinking(inputs, outputs, blocks)
            for inputs, outputs, blocks in zip(widths, widths[1:], (1, 1, 3, 1), strict=False)
        )
        # The upper levels have half of the channels on the way up, where the skips have as many.
        self.up = nn.ModuleList(
            Enlarging(2 * inputs, outputs)
            for inputs, outputs in zip(
                widths[3::-1], (4 * width, 2 * width, width, width), strict=True
            )
        )
        self.head = nn.Conv2d(width, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Return a logit for each pixel."""
        features = self.stem(image)
        skips = []
        for shrink in self.down:
            skips.append(features)
            features = shrink(features)
        for enlarge in self.up:
            features = enlarge(features, skips.pop())
        logits: Tensor = self.head(features)
        return logits


class TripleBlock(nn.Module):
    """GELU(x + norm(MLP(norm(shuffle(three convolutions of x))))), in ``channels`` channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        quarter, half = channels // 4, channels // 2
        self.deformed = Deformable(quarter)
        self.depthwise = nn.Conv2d(half, half, 7, padding=3, groups=half)
        self.dilated = nn.Conv2d(quarter, quarter, 3, padding="same", dilation=2)
        self.shuffle = nn.ChannelShuffle(2)
        self.first_norm = nn.BatchNorm2d(channels)
        self.widen = nn.Linear(channels, 4 * channels)
        self.first_act = nn.GELU()
        self.narrow = nn.Linear(4 * channels, channels)
        self.second_norm = nn.BatchNorm2d(channels)
        self.second_act = nn.GELU()

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, channels, H, W) to the same shape."""
        quarter, half = self.dilated.in_channels, self.depthwise.in_channels
        parts = features.split([quarter, half, quarter], dim=1)
        mixed = torch.cat(
            [self.deformed(parts[0]), self.depthwise(parts[1]), self.dilated(parts[2])], dim=1
        )
        last = self.first_norm(self.shuffle(mixed)).permute(0, 2, 3, 1)
        change = self.narrow(self.first_act(self.widen(last))).permute(0, 3, 1, 2)
        result: Tensor = self.second_act(features + self.second_norm(change))
        return result


class Deformable(nn.Module):
    """A depthwise 3×3 convolution at places that a convolution of the input chooses.

    Keeps the input and the offsets for the backward pass, as torchvision's operator does.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.offsets = nn.Conv2d(channels, 2 * _SIDE**2, _SIDE, padding=1)
        self.weight = nn.Parameter(torch.empty(channels, 1, _SIDE, _SIDE))
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, channels, H, W) to the same shape."""
        output: Tensor = checkpoint(
            deformed, features, self.offsets(features), self.weight,
            use_reentrant=False, preserve_rng_state=False,
        )  # fmt: skip
        return output


def deformed(features: Tensor, offsets: Tensor, weight: Tensor) -> Tensor:
    """Return the depthwise convolution (B, C, H, W) at shifted places, zero outside of the map.

    ``offsets`` (B, 18, H, W) has down and right for each tap of ``weight`` (C, 1, 3, 3), in pixels.
    """
    batch, channels, height, width = features.shape
    shifts = offsets.view(batch, _SIDE, _SIDE, 2, height, width)
    taps = torch.arange(_SIDE, device=features.device) - _SIDE // 2
    rows = torch.arange(height, device=features.device)[:, None] + taps[:, None, None, None]
    columns = torch.arange(width, device=features.device) + taps[:, None, None]
    # Normalised so that the middles of pixels are (2 i + 1) / size - 1.
    down = (2 * (rows + shifts[:, :, :, 0]) + 1) / height - 1
    right = (2 * (columns + shifts[:, :, :, 1]) + 1) / width - 1
    # Taps beside each other: a convolution whose stride is its size joins them.
    places = torch.stack([right, down], -1).permute(0, 3, 1, 4, 2, 5)
    places = places.reshape(batch, height * _SIDE, width * _SIDE, 2).to(features.dtype)
    sampled = F.grid_sample(features, places, align_corners=False)
    return F.conv2d(sampled, weight, stride=_SIDE, groups=channels)


class Enlarging(nn.Module):
    """Twice the size by interpolation, the skip before it, a 1×1 convolution and a block."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(inputs // 2)
        self.enlarge = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        self.join = nn.Conv2d(inputs, outputs, 1)
        self.block = TripleBlock(outputs)

    def forward(self, features: Tensor, skip: Tensor) -> Tensor:
        """Map (B, inputs / 2, H, W) and (B, inputs / 2, 2 H, 2 W) to (B, outputs, 2 H, 2 W)."""
        joined = torch.cat([skip, self.enlarge(self.norm(features))], dim=1)
        output: Tensor = self.block(self.join(joined))
        return output


def _shrinking(inputs: int, outputs: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(
        nn.BatchNorm2d(inputs),
        nn.Conv2d(inputs, outputs, 2, stride=2),
        *(TripleBlock(outputs) for _ in range(blocks)),
    )
