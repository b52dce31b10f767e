"""New digits from noise: flow matching.

Lipman et al., "Flow matching for generative modeling", 2023; Liu et al., "Flow straight and fast",
2023. With x a real image of class c, z normal noise and t uniform, the network learns the velocity
of the straight way from one to the other:

    x_t = (1 - t) z + t x        min_θ E ‖v_θ(x_t, t, c) - (x - z)‖²

and an image is made by following it from noise, x ← x + v_θ(x, t, c) / N in N steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xconv_bench.data.digits import read_digits
from xconv_bench.errors import UsageError
from xconv_bench.models.flow_unet import FlowUNet
from xconv_bench.tasks.base import Image, Measure, Task, TaskOptions, refuse_folder
from xconv_bench.tasks.frechet import Classifier, frechet_distance, trained_classifier
from xconv_bench.tasks.order import generator, shuffled_batches, split

_TEST_PART = 0.2
_PASSES = 4
"""Over the data in an epoch."""
_STEPS = 16
_SAMPLES = 200
_SHOWN = 30
_WIDTH = 24
_CLASSES = 10

FRECHET = Measure(
    "frechet_distance", "Fréchet distance",
    "of generated digits and real ones not trained on, in the features of a classifier",
)  # fmt: skip
AGREEMENT = Measure(
    "classifier_agreement", "classifier agreement",
    "the part of the generated digits that the classifier takes for the digit asked for",
)  # fmt: skip


class Generation(Task):
    """The 1797 real digits of scikit-learn, 16 pixels a side; a U-Net that is told time and class.

    A fifth of the digits is kept to compare with. The classifier that judges is trained on the
    rest, from a seed of its own: the same for all methods and seeds.
    """

    name: ClassVar[str] = "generation"
    measures: ClassVar[tuple[Measure, ...]] = (FRECHET, AGREEMENT)

    def __init__(self, options: TaskOptions) -> None:
        self.data, self.model = "digits", "flow-unet"
        for option, given, own in (
            ("data", options.data, self.data), ("model", options.model, self.model),
        ):  # fmt: skip
            if given not in (None, own):
                raise UsageError(f"--{option} {given!r}: generation is of {own} only")
        refuse_folder(options, "digits")
        self.image_size = options.image_size or 16
        if self.image_size % 4:
            raise UsageError(f"--image-size {self.image_size}: the U-Net takes multiples of 4")
        self.batch_size = options.batch_size or 64
        self.epochs = options.epochs or 6
        self.learning_rate = options.learning_rate or 2e-3
        self._seed = options.seed
        images, labels = _digits(self.image_size)
        trained, tested = split(len(labels), _TEST_PART)
        self._images, self._labels = images[trained], labels[trained]
        self._real = images[tested]
        self.sample_count = len(trained)
        if self.batch_size > self.sample_count:
            raise UsageError(
                f"--batch-size {self.batch_size} is larger than the data, {len(trained)} digits"
            )

    def build(self) -> nn.Module:
        """Build the U-Net."""
        return FlowUNet(width=_WIDTH)

    def optimizer(self, model: nn.Module, learning_rate: float) -> Any:
        """Return Adam."""
        return torch.optim.Adam(model.parameters(), learning_rate)

    def steps(self) -> int:
        """Count the whole batches of four passes."""
        return _PASSES * (self.sample_count // self.batch_size)

    def batches(self, epoch: int) -> Iterator[Mapping[str, Tensor]]:
        """Yield ``place`` x_t, ``velocity`` x - z (B, 1, S, S), ``time`` t and ``label`` c (B,)."""
        for number in range(epoch * _PASSES, (epoch + 1) * _PASSES):
            order = shuffled_batches(self.sample_count, self.batch_size, self._seed, number)
            for step, indices in enumerate(order):
                chance = generator(self._seed, number, step)
                images = self._images[indices]
                noise = torch.randn(images.shape, generator=chance)
                time = torch.rand(len(indices), generator=chance)
                weight = time[:, None, None, None]
                yield {
                    "place": (1 - weight) * noise + weight * images,
                    "velocity": images - noise,
                    "time": time,
                    "label": self._labels[indices],
                }

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the mean square of the velocity's error."""
        velocity = model(batch["place"], batch["time"], batch["label"])
        return F.mse_loss(velocity, batch["velocity"])

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Return the measures of 200 generated digits, as many of each class."""
        images, labels = self._generate(model, _SAMPLES)
        found = frechet_distance(
            self.classifier.features(images), self.classifier.features(self._real)
        )
        agrees = self.classifier(images).argmax(1) == labels
        return {"frechet_distance": found, "classifier_agreement": float(agrees.float().mean())}

    def pictures(self, model: nn.Module) -> dict[str, Image]:
        """Return three generated digits of each class."""
        images, _ = self._generate(model, _SHOWN)
        return {"samples": _grid(images)}

    def references(self) -> dict[str, Image]:
        """Return real digits, three of each class."""
        labels = self._labels.tolist()
        found = [[i for i, label in enumerate(labels) if label == c][:3] for c in range(_CLASSES)]
        order = [found[c][n] for n in range(3) for c in range(_CLASSES)]
        return {"truth": _grid(self._images[order])}

    @cached_property
    def classifier(self) -> Classifier:
        """Return a classifier, trained on the digits that the network is trained on."""
        return trained_classifier(self._images, self._labels)

    def _generate(self, model: nn.Module, count: int) -> tuple[Tensor, Tensor]:
        """Generate images (N, 1, S, S) from the same noise for every model, and their labels."""
        device = next(model.parameters()).device
        shape = (count, 1, self.image_size, self.image_size)
        images = torch.randn(shape, generator=generator(count)).to(device)
        labels = torch.arange(count).remainder(_CLASSES)
        for step in range(_STEPS):
            time = torch.full((count,), step / _STEPS, device=device)
            images = images + model(images, time, labels.to(device)) / _STEPS
        return images.clamp(-1, 1).cpu(), labels


def _digits(size: int) -> tuple[Tensor, Tensor]:
    """Return all digits (N, 1, S, S) from -1 to 1, and their labels."""
    digits, labels = read_digits()
    images = torch.from_numpy(digits).float()[:, None] / 127.5 - 1
    enlarged = F.interpolate(images, (size, size), mode="bicubic").clamp(-1, 1)
    return enlarged, torch.from_numpy(labels).long()


def _grid(images: Tensor) -> Image:
    """Lay pictures out ten abreast."""
    pictures = (images[:, 0].numpy() + 1) / 2
    lines = [np.concatenate(list(pictures[i : i + 10]), axis=1) for i in range(0, len(images), 10)]
    grid: Image = np.concatenate(lines, axis=0)
    return grid
