"""How networks are trained: what a sample's target looks like, and the loss.

The memory of a step is measured with its loss in it, so a loss makes no tensor that it can do
without. None draws a random number or reads a value back from the device, so all of them run under
``FakeTensorMode`` and in every floating-point dtype.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F
from torch import Tensor


class Task(ABC):
    """What a network of one kind learns.

    Targets are labels, integers below ``classes``, or, where that is None, real numbers like the
    input's.
    """

    classes: int | None = None

    @abstractmethod
    def target_shape(self, sample_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the target that belongs to one input of ``sample_shape``, without the batch."""

    @abstractmethod
    def loss(self, output: Any, target: Tensor) -> Tensor:
        """The scalar to minimise, from whatever the network returned; ``target`` (B, ...)."""

    def remark(self, output: Any, target: Tensor) -> str:
        """Return what a reader of the row should know of the loss; nothing where it is given."""
        return ""


@dataclass(frozen=True)
class Classification(Task):
    """One label a sample; cross-entropy of the logits (B, classes).

    A network with auxiliary heads returns a tuple, the main head first; each of the others adds
    ``auxiliary_weight`` times its own cross-entropy.
    """

    classes: int
    auxiliary_weight: float = 0.0

    def target_shape(self, sample_shape: tuple[int, ...]) -> tuple[int, ...]:
        """() for every input: a label."""
        return ()

    def loss(self, output: Any, target: Tensor) -> Tensor:
        """Mean cross-entropy, auxiliary heads included."""
        if isinstance(output, Tensor):
            return F.cross_entropy(output, target)
        main, *auxiliary = output
        loss = F.cross_entropy(main, target)
        for logits in auxiliary:
            loss = loss + self.auxiliary_weight * F.cross_entropy(logits, target)
        return loss


@dataclass(frozen=True)
class Segmentation(Task):
    """One label a pixel; cross-entropy of the logits (B, classes, H, W) under ``"out"``."""

    classes: int
    auxiliary_weight: float = 0.5

    def target_shape(self, sample_shape: tuple[int, ...]) -> tuple[int, ...]:
        """(H, W) for an input (C, H, W)."""
        return sample_shape[1:]

    def loss(self, output: Any, target: Tensor) -> Tensor:
        """Mean cross-entropy, that of ``"aux"`` included where the network has it."""
        loss = F.cross_entropy(output["out"], target)
        if "aux" in output:
            loss = loss + self.auxiliary_weight * F.cross_entropy(output["aux"], target)
        return loss


@dataclass(frozen=True)
class Reconstruction(Task):
    """An image for an image; mean squared error."""

    def target_shape(self, sample_shape: tuple[int, ...]) -> tuple[int, ...]:
        """That of the input."""
        return sample_shape

    def loss(self, output: Any, target: Tensor) -> Tensor:
        """Mean squared error."""
        return mean_squared_error(output, target)


@dataclass(frozen=True)
class Total(Task):
    """The sum of the output: for a layer alone, whose loss is to cost next to nothing."""

    classes: int = 1

    def target_shape(self, sample_shape: tuple[int, ...]) -> tuple[int, ...]:
        """() for every input: a label, of which nothing is read."""
        return ()

    def loss(self, output: Any, target: Tensor) -> Tensor:
        """The sum over all elements."""
        total: Tensor = output.sum()
        return total


def mean_squared_error(output: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared error, for use in losses."""
    # The scalar that mse_loss reduces to is of a storage as large as the output, which no
    # simulation knows of; what is reduced afterwards is freed.
    return F.mse_loss(output, target, reduction="none").mean()
