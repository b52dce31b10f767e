"""Tasks: each is a network, its data, a loss, and the measure by which it is judged."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from torch import Tensor, nn

from xconv_bench.errors import UsageError

Image = np.ndarray
"""A picture: height × width, or height × width × 3, floats from 0 to 1."""


@dataclass(frozen=True)
class Measure:
    """A figure of a trained network: the column that it is in, and what it is called."""

    column: str
    name: str
    meaning: str


@dataclass(frozen=True)
class TaskOptions:
    """The options that a task is made from; None stands for the task's own choice.

    ``data`` and ``data_dir`` name a data set, ``model`` a network, where a task has several.
    ``image_size`` is in pixels a side. ``seed`` decides data, where it is made, and batches.
    """

    seed: int = 0
    batch_size: int | None = None
    epochs: int | None = None
    learning_rate: float | None = None
    data: str | None = None
    data_dir: Path | None = None
    model: str | None = None
    image_size: int | None = None
    download: bool = False


class Task(ABC):
    """A task, made from its options: reads its data when it is made, and holds it.

    Everything is decided by the options and the arguments: two objects made alike give the same
    batches, whatever else has drawn random numbers. The randomness of a batch (noise,
    masks, crops) is drawn for it on the CPU from a generator of its own, by seed, epoch and
    number of the batch, so that all methods see the same, and a resumed run sees what one that
    never stopped would have seen.
    """

    name: ClassVar[str]
    data: str
    """The name of the data set."""
    model: str
    """The name of the network."""
    image_size: int
    has_batches: ClassVar[bool] = True
    """False where an epoch is many steps on one sample: its batch cannot be chosen."""
    measures: ClassVar[tuple[Measure, ...]]
    """The first is the one that the task is judged by."""
    sample_count: int
    """To train on; a batch has no more."""
    batch_size: int
    epochs: int
    learning_rate: float

    @abstractmethod
    def __init__(self, options: TaskOptions) -> None:
        """Read the options. Raises UsageError, one line, for those that the task does not take."""

    @abstractmethod
    def build(self) -> nn.Module:
        """Build the network, in float32 on the CPU, with weights from torch's global generator.

        All its activations are modules, so that methods can treat them.
        """

    @abstractmethod
    def optimizer(self, model: nn.Module, learning_rate: float) -> Any:
        """Return the optimizer of this task."""

    @abstractmethod
    def batches(self, epoch: int) -> Iterator[Mapping[str, Tensor]]:
        """Yield the batches of an epoch, from 0 on, on the CPU, each a dictionary of tensors."""

    @abstractmethod
    def steps(self) -> int:
        """Return the number of batches in an epoch."""

    @abstractmethod
    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the loss of a batch on the device of the model, a scalar with its graph."""

    @abstractmethod
    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Return the value of each measure by column; the model is in eval mode, without graph."""

    @abstractmethod
    def pictures(self, model: nn.Module) -> dict[str, Image]:
        """Return a few small outputs of the trained network by name; the model is in eval mode."""

    def references(self) -> dict[str, Image]:
        """Return the pictures to compare with, such as the input and the truth."""
        return {}


def refuse_folder(options: TaskOptions, data: str) -> None:
    """Raise UsageError where data that come with a package are given a folder."""
    if options.data_dir is not None or options.download:
        raise UsageError(f"{data} come with a package: leave out --data-dir and --download")
