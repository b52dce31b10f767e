"""Objectives of networks that predict masks, or the noise in an image."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor

from xconv_bench.objectives.objective import Objective, mean_squared_error

_SMOOTH = 1e-5


@dataclass(frozen=True)
class MaskOverlap(Objective):
    """Take half the cross-entropy of the logits (B, 1, H, W) plus one less their soft Dice.

    The target is a mask of 0 and 1; the Dice coefficient is that of each sample, averaged.
    """

    purpose = "segmentation"
    classes: int = 2

    def target_shape(self, sample_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (1, H, W) for an input (C, H, W)."""
        return (1, *sample_shape[1:])

    def loss(self, output: Any, target: Tensor) -> Tensor:
        """Return the mean over the samples."""
        mask = target.to(output.dtype)
        # Reduced by mean(), as in mean_squared_error: its storage is one that simulations know.
        entropy = F.binary_cross_entropy_with_logits(output, mask, reduction="none").mean()
        chances, mask = output.sigmoid().flatten(1), mask.flatten(1)
        both = (chances * mask).sum(1)
        dice = (2 * both + _SMOOTH) / (chances.sum(1) + mask.sum(1) + _SMOOTH)
        return 0.5 * entropy + 1 - dice.mean()


@dataclass(frozen=True)
class NoisePrediction(Objective):
    """Take the mean squared error of the noise that a diffusion model sees in its inputs.

    Inputs are images, timesteps and the noise that the images get.
    """

    purpose = "noise prediction"
    takes_inputs: ClassVar[bool] = True

    def target_shape(self, sample_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the input."""
        return sample_shape

    def loss(self, output: Any, target: tuple[Tensor, Tensor, Tensor]) -> Tensor:  # type: ignore[override]
        """Return the mean squared error of the predicted noise, as in ``L_simple``."""
        _, _, noise = target
        return mean_squared_error(output, noise)
