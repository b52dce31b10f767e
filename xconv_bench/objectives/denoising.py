"""The loss of networks that predict noise, or an image, of the shape of their input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from xconv_bench.objectives.automatic import trained
from xconv_bench.objectives.objective import Objective, mean_squared_error


@dataclass(frozen=True)
class Denoising(Objective):
    """Take the mean squared error between the first output and random numbers, such as noise.

    Channels that only one of them has, such as predicted variances, are left out.
    """

    purpose = "denoising"

    def target_shape(self, sample_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the input."""
        return sample_shape

    def loss(self, output: Any, target: Tensor) -> Tensor:
        """Return the mean squared error; BenchError where the output holds no tensor."""
        found = next(iter(trained(output).values()))
        channels = min(found.shape[1], target.shape[1])
        return mean_squared_error(found[:, :channels], target[:, :channels])
