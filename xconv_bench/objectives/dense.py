"""The loss of networks that label every pixel or voxel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from xconv_bench.objectives.automatic import term, trained
from xconv_bench.objectives.objective import Objective


@dataclass(frozen=True)
class DenseCrossEntropy(Objective):
    """Take the cross-entropy of logits (B, channels, ...) with a label for each pixel or voxel.

    One channel is the logit of the second of two classes. Each output as large as the input has
    this term, and each other one, such as a lower scale or a label for the whole sample, the term
    that ``AutomaticObjective`` has for it; its labels are those of the first pixels.
    """

    purpose = "segmentation"
    classes: int

    @classmethod
    def of_channels(cls, channels: int) -> DenseCrossEntropy:
        """Return the loss for an output of so many channels."""
        return cls(max(channels, 2))

    def target_shape(self, sample_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (H, W) for an input (C, H, W), (D, H, W) for (C, D, H, W)."""
        return sample_shape[1:]

    def loss(self, output: Any, target: Tensor) -> Tensor:
        """Return the sum of the terms; BenchError where the output holds no tensor to train on."""
        first, *others = (self._term(tensor, target) for tensor in trained(output).values())
        return sum(others, start=first)

    def _term(self, tensor: Tensor, target: Tensor) -> Tensor:
        if tensor.dim() < 2 or tensor.shape[2:] != target.shape[1:]:
            return term(tensor, target.flatten(1)[:, 0])
        channels = tensor.shape[1]
        if channels == 1:
            return F.binary_cross_entropy_with_logits(tensor[:, 0], target.to(tensor.dtype))
        return F.cross_entropy(tensor, target if channels >= self.classes else target % channels)
