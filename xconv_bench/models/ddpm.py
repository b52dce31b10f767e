"""The U-Net of denoising diffusion (Ho, Jain and Abbeel, NeurIPS 2020, 2006.11239) and its step."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

_STEPS = 1000
_FIRST_BETA, _LAST_BETA = 1e-4, 0.02
_GROUPS = 32
_ATTENDED = 16
"""Maps of so many pixels a side have attention."""
_LONGEST_WAVE = 10000.0


class DiffusionUNet(nn.Module):
    """ε(√ᾱ_t x + √(1 - ᾱ_t) ε, t): the prediction of the noise in an image at a timestep.

    The network for CIFAR-10: 128 channels, times 1, 2, 2 and 2 a level, two residual blocks a level
    on the way down and three on the way up, attention where maps have 16 pixels a side; sinusoidal
    timesteps enter every block. One change: no layer begins at zero, since the gradients of all
    layers below one that does are zero.
    """

    alphas: Tensor

    def __init__(
        self,
        image_size: int = 32,
        image_channels: int = 3,
        width: int = 128,
        factors: tuple[int, ...] = (1, 2, 2, 2),
        blocks: int = 2,
    ) -> None:
        super().__init__()
        told = 4 * width
        betas = torch.linspace(_FIRST_BETA, _LAST_BETA, _STEPS)
        self.register_buffer("alphas", (1 - betas).cumprod(0), persistent=False)
        self.width = width
        self.time = nn.Sequential(nn.Linear(width, told), nn.SiLU(), nn.Linear(told, told))
        self.stem = nn.Conv2d(image_channels, width, 3, padding=1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        skips, channels, side = [width], width, image_size
        for level, factor in enumerate(factors):
            for _ in range(blocks):
                self.down.append(AttendingBlock(channels, factor * width, told, side == _ATTENDED))
                channels = factor * width
                skips.append(channels)
            if level < len(factors) - 1:
                self.down.append(Shrinking(channels))
                skips.append(channels)
                side //= 2
        self.middle = AttendingBlock(channels, channels, told, attends=True)
        self.last = TimedBlock(channels, channels, told)
        for level, factor in reversed(list(enumerate(factors))):
            for _ in range(blocks + 1):
                inputs = channels + skips.pop()
                self.up.append(AttendingBlock(inputs, factor * width, told, side == _ATTENDED))
                channels = factor * width
            if level:
                self.up.append(Growing(channels))
                side *= 2
        self.head = nn.Sequential(
            nn.GroupNorm(_GROUPS, channels),
            nn.SiLU(),
            nn.Conv2d(channels, image_channels, 3, padding=1),
        )

    def forward(self, image: Tensor, timestep: Tensor, noise: Tensor) -> Tensor:
        """Predict ``noise`` (B, C, S, S) from it, images (B, C, S, S) and timesteps (B,) from 0."""
        kept = self.alphas[timestep][:, None, None, None]
        features = self.stem(kept.sqrt() * image + (1 - kept).sqrt() * noise)
        told = self.time(_waves(timestep, self.width).to(features.dtype))
        skips = [features]
        for step in self.down:
            features = step(features, told)
            skips.append(features)
        features = self.last(self.middle(features, told), told)
        for step in self.up:
            if isinstance(step, AttendingBlock):
                features = torch.cat([features, skips.pop()], dim=1)
            features = step(features, told)
        predicted: Tensor = self.head(features)
        return predicted


class AttendingBlock(nn.Module):
    """A residual block, then attention where ``attends``."""

    def __init__(self, inputs: int, outputs: int, told: int, attends: bool) -> None:
        super().__init__()
        self.block = TimedBlock(inputs, outputs, told)
        self.attention = Attention(outputs) if attends else nn.Identity()

    def forward(self, features: Tensor, told: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H, W)."""
        output: Tensor = self.attention(self.block(features, told))
        return output


class TimedBlock(nn.Module):
    """x + conv(dropout(SiLU(norm(conv(SiLU(norm x)) + shift)))), x projected where need be."""

    def __init__(self, inputs: int, outputs: int, told: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.GroupNorm(_GROUPS, inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1)
        )
        self.shift = nn.Sequential(nn.SiLU(), nn.Linear(told, outputs))
        self.second = nn.Sequential(
            nn.GroupNorm(_GROUPS, outputs),
            nn.SiLU(),
            nn.Dropout(0.1),
            nn.Conv2d(outputs, outputs, 3, padding=1),
        )
        self.skip = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, features: Tensor, told: Tensor) -> Tensor:
        """Map (B, inputs, H, W) and timesteps (B, told) to (B, outputs, H, W)."""
        change = self.second(self.first(features) + self.shift(told)[:, :, None, None])
        output: Tensor = self.skip(features) + change
        return output


class Attention(nn.Module):
    """x + project(softmax(q kᵀ / √C) v) over all pixels, one head."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(_GROUPS, channels)
        self.query, self.key, self.value, self.project = (
            nn.Conv2d(channels, channels, 1) for _ in range(4)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        normed = self.norm(features)
        query, key, value = (
            layer(normed).flatten(2) for layer in (self.query, self.key, self.value)
        )
        weights = (query.transpose(1, 2) @ key / math.sqrt(key.shape[1])).softmax(-1)
        seen = (value @ weights.transpose(1, 2)).view_as(features)
        output: Tensor = features + self.project(seen)
        return output


class Shrinking(nn.Module):
    """A convolution of stride 2, which takes no timestep."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, features: Tensor, told: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, H / 2, W / 2)."""
        output: Tensor = self.conv(features)
        return output


class Growing(nn.Module):
    """Nearest neighbours and a convolution, which take no timestep."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.enlarge = nn.Upsample(scale_factor=2)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, features: Tensor, told: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, 2 H, 2 W)."""
        output: Tensor = self.conv(self.enlarge(features))
        return output


def diffusion_inputs(batch_size: int, image_size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Draw images (B, 3, S, S), random timesteps (B,) and the noise (B, 3, S, S) that they get."""
    shape = (batch_size, 3, image_size, image_size)
    return torch.randn(shape), torch.randint(_STEPS, (batch_size,)), torch.randn(shape)


def _waves(timestep: Tensor, width: int) -> Tensor:
    """Write timesteps (B,) as sines and cosines (B, width)."""
    half = width // 2
    powers = torch.arange(half, device=timestep.device) / (half - 1)
    phases = timestep[:, None] * torch.exp(-math.log(_LONGEST_WAVE) * powers)
    return torch.cat([phases.sin(), phases.cos()], dim=1)
