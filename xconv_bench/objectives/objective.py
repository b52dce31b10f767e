"""Objectives: the form of a sample's target, and the loss.

The memory of a step is measured with its loss in it, so a loss makes no tensor that it can do
without. None draws a random number or reads a value back from the device, so all of them run under
``FakeTensorMode`` and in every floating-point dtype.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor


class Objective(ABC):
    """The target and the loss that networks of one kind are trained with.

    Targets are labels, integers below ``classes``, or, where that is None, real numbers like the
    input's. ``purpose`` is the objective in one word, for messages.
    With ``takes_inputs`` the target of a batch is what the network was given.
    """

    purpose: ClassVar[str]
    takes_inputs: ClassVar[bool] = False
    classes: int | None = None

    @abstractmethod
    def target_shape(self, sample_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of one target for an input of ``sample_shape``, without the batch."""

    @abstractmethod
    def loss(self, output: Any, target: Tensor) -> Tensor:
        """Return the scalar to minimise, from the network's ``output`` and ``target`` (B, ...)."""

    def remark(self, output: Any, target: Tensor) -> str:
        """Return a remark on the loss for readers of the row; empty where there is none."""
        return ""


@dataclass(frozen=True)
class CrossEntropy(Objective):
    """Take the cross-entropy of the logits (B, classes), with one label a sample.

    A network with auxiliary heads returns a tuple, the main head first; each of the others adds
    ``auxiliary_weight`` times its own cross-entropy.
    """

    purpose = "classification"
    classes: int
    auxiliary_weight: float = 0.0

    def target_shape(self, sample_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return () for every input: a label."""
        return ()

    def loss(self, output: Any, target: Tensor) -> Tensor:
        """Return the mean cross-entropy, auxiliary heads included."""
        if isinstance(output, Tensor):
            return F.cross_entropy(output, target)
        main, *auxiliary = output
        loss = F.cross_entropy(main, target)
        for logits in auxiliary:
            loss = loss + self.auxiliary_weight * F.cross_entropy(logits, target)
        return loss


@dataclass(frozen=True)
class PixelCrossEntropy(Objective):
    """Take the cross-entropy of the logits (B, classes, H, W) under ``"out"``, a label a pixel."""

    purpose = "segmentation"
    classes: int
    auxiliary_weight: float = 0.5

    def target_shape(self, sample_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (H, W) for an input (C, H, W)."""
        return sample_shape[1:]

    def loss(self, output: Any, target: Tensor) -> Tensor:
        """Return the mean cross-entropy, including ``"aux"`` where the network has it."""
        loss = F.cross_entropy(output["out"], target)
        if "aux" in output:
            loss = loss + self.auxiliary_weight * F.cross_entropy(output["aux"], target)
        return loss


@dataclass(frozen=True)
class SquaredError(Objective):
    """Take the mean squared error between an image and its reconstruction."""

    purpose = "reconstruction"

    def target_shape(self, sample_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the input."""
        return sample_shape

    def loss(self, output: Any, target: Tensor) -> Tensor:
        """Return the mean squared error."""
        return mean_squared_error(output, target)


@dataclass(frozen=True)
class OutputSum(Objective):
    """Sum the output: for a layer alone, whose loss is to cost next to nothing."""

    purpose = "total"
    classes: int = 1

    def target_shape(self, sample_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return () for every input: a label, which is never read."""
        return ()

    def loss(self, output: Any, target: Tensor) -> Tensor:
        """Return the sum over all elements."""
        total: Tensor = output.sum()
        return total


def mean_squared_error(output: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared error, for use in losses."""
    # The scalar that mse_loss reduces to is of a storage as large as the output, which no
    # simulation knows of; what is reduced afterwards is freed.
    return F.mse_loss(output, target, reduction="none").mean()
