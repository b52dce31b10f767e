"""Classes of small pictures: scikit-learn's digits, MNIST, CIFAR-10."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xconv_bench.data.images import is_served
from xconv_bench.errors import UsageError, suggest
from xconv_bench.models import Architecture, find
from xconv_bench.models.several_inputs import images_alone
from xconv_bench.tasks.base import Image, Measure, Task, TaskOptions, refuse_folder
from xconv_bench.tasks.measures import ACCURACY
from xconv_bench.tasks.order import shuffled_batches
from xconv_bench.tasks.pictures import LabelledPictures, open_pictures

_NETWORKS = {"digits": "paper/mnist", "mnist": "paper/mnist", "cifar10": "paper/cifar"}
_EPOCHS = {"digits": 15, "mnist": 20, "cifar10": 30}
_LEARNING_RATE = 1e-3
_BATCH_SIZE = 32
_EVALUATED_TOGETHER = 256


class Classification(Task):
    """Cross-entropy over classes, Adam; judged by the accuracy on pictures not trained on.

    By default the paper's MNIST network (arXiv 2106.06998) on the 1797 real digits of
    scikit-learn, enlarged from 8 to 28 pixels: at 8 a map has 64 pixels, and most sketches would
    be no smaller than what they stand for. A fifth of the digits is for the test; MNIST and
    CIFAR-10 have their own.
    """

    name: ClassVar[str] = "classification"
    measures: ClassVar[tuple[Measure, ...]] = (ACCURACY,)

    def __init__(self, options: TaskOptions) -> None:
        self.data = options.data or "digits"
        if self.data not in _NETWORKS:
            choice = suggest(self.data, _NETWORKS)
            raise UsageError(f"--data {self.data!r} is no data of classification: {choice}")
        self.model = options.model or _NETWORKS[self.data]
        architecture = find(self.model)
        self.image_size = options.image_size or architecture.image_size
        architecture.check(self.image_size)
        _check_classifies(architecture, self.image_size)
        self.batch_size = options.batch_size or _BATCH_SIZE
        self.epochs = options.epochs or _EPOCHS[self.data]
        self.learning_rate = options.learning_rate or _LEARNING_RATE
        self._seed = options.seed
        self._architecture = architecture
        channels = architecture.sample_shape(self.image_size)[0]
        if self.data == "digits":
            refuse_folder(options, "digits")
        self._training, self._test = open_pictures(
            self.data, options.data_dir, options.download, self.image_size, channels
        )
        self.sample_count = len(self._training)
        if self.batch_size > self.sample_count:
            raise UsageError(
                f"--batch-size {self.batch_size} is larger than the data, "
                f"{self.sample_count} pictures of {self.data}: take a smaller batch"
            )

    def build(self) -> nn.Module:
        """Build the network for pictures of this size."""
        with images_alone():
            return self._architecture.build(self.image_size)

    def optimizer(self, model: nn.Module, learning_rate: float) -> Any:
        """Return Adam, as the paper has it."""
        return torch.optim.Adam(model.parameters(), learning_rate)

    def steps(self) -> int:
        """Count the whole batches of an epoch."""
        return self.sample_count // self.batch_size

    def batches(self, epoch: int) -> Iterator[Mapping[str, Tensor]]:
        """Yield ``image`` (B, C, S, S), normalised, and ``label`` (B,)."""
        order = shuffled_batches(self.sample_count, self.batch_size, self._seed, epoch)
        for indices in order:
            yield self._training.batch(indices)

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the mean cross-entropy."""
        return F.cross_entropy(model(batch["image"]), batch["label"])

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Return the accuracy on the test pictures."""
        right = 0
        device = next(model.parameters()).device
        for batch in _whole(self._test):
            classes = model(batch["image"].to(device)).argmax(1).cpu()
            right += int((classes == batch["label"]).sum())
        return {"accuracy": right / len(self._test)}

    def pictures(self, model: nn.Module) -> dict[str, Image]:
        """Return nothing: a class is no picture."""
        return {}


def _check_classifies(architecture: Architecture, image_size: int) -> None:
    """Raise UsageError for a network that is made for something else than one label an image."""
    label = architecture.objective.target_shape(architecture.sample_shape(image_size))
    if label or not is_served(architecture, image_size):
        raise UsageError(
            f"--model {architecture.name} is a network for {architecture.objective.purpose}: "
            "the task classification takes networks that classify images"
        )


def _whole(pictures: LabelledPictures) -> Iterator[dict[str, Tensor]]:
    for indices in torch.arange(len(pictures)).split(_EVALUATED_TOGETHER):
        yield pictures.batch(indices)
