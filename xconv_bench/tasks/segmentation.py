"""Segmentation: pixels of digits over photographs, of pets, and of volumes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xconv_bench.errors import UsageError, suggest
from xconv_bench.models.paper import UNet
from xconv_bench.models.unet3d import UNet3d
from xconv_bench.tasks.base import Image, Measure, Task, TaskOptions, refuse_folder
from xconv_bench.tasks.composed import Composer
from xconv_bench.tasks.measures import DICE, IOU, Overlap
from xconv_bench.tasks.order import shuffled_batches
from xconv_bench.tasks.pets import Pets

_SHOWN = 4
"""Test samples that pictures show."""
_EVALUATED_TOGETHER = 16
_LEAST = 8
"""Pixels a side: digits have no place in fewer."""

_MEAN, _DEVIATION = 0.45, 0.25
"""The mean of photographs between 0 and 1, roughly."""

Pair = tuple[Tensor, Tensor]


class _Masks(Task):
    """Cross-entropy and soft Dice, Adam; judged by Dice, then IoU, at a probability of 1/2."""

    measures: ClassVar[tuple[Measure, ...]] = (DICE, IOU)
    test_count: int
    _seed: int

    @abstractmethod
    def training_pair(self, index: int) -> Pair:
        """Return a sample (C, ..., S, S) and its mask (1, ..., S, S) of 0 and 1."""

    @abstractmethod
    def test_pair(self, index: int) -> Pair:
        """Return the same of a test sample."""

    def optimizer(self, model: nn.Module, learning_rate: float) -> Any:
        """Return Adam."""
        return torch.optim.Adam(model.parameters(), learning_rate)

    def steps(self) -> int:
        """Count the whole batches of an epoch."""
        return self.sample_count // self.batch_size

    def batches(self, epoch: int) -> Iterator[Mapping[str, Tensor]]:
        """Yield ``image`` and ``mask``, (B, C, ..., S, S)."""
        order = shuffled_batches(self.sample_count, self.batch_size, self._seed, epoch)
        for indices in order:
            yield _stacked([self._training[index] for index in indices.tolist()])

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the cross-entropy of the pixels, plus one less their soft Dice over the batch."""
        logits = model(batch["image"])
        entropy = F.binary_cross_entropy_with_logits(logits, batch["mask"])
        chances = logits.sigmoid()
        both = (chances * batch["mask"]).sum()
        return entropy + 1 - (2 * both + 1) / (chances.sum() + batch["mask"].sum() + 1)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Return Dice and IoU over all pixels of the test samples."""
        overlap = Overlap()
        device = next(model.parameters()).device
        for start in range(0, self.test_count, _EVALUATED_TOGETHER):
            batch = _stacked(self._test[start : start + _EVALUATED_TOGETHER])
            predicted = model(batch["image"].to(device)).cpu() > 0
            overlap.add(predicted, batch["mask"] > 0.5)
        return {"dice": overlap.dice, "iou": overlap.iou}

    def pictures(self, model: nn.Module) -> dict[str, Image]:
        """Return probabilities of a few test samples side by side; a middle slice of volumes."""
        device = next(model.parameters()).device
        batch = _stacked(self._test[:_SHOWN])
        return {"mask": _row(model(batch["image"].to(device)).sigmoid().cpu())}

    def references(self) -> dict[str, Image]:
        """Return the same samples and their masks."""
        batch = _stacked(self._test[:_SHOWN])
        seen = batch["image"] * _DEVIATION + _MEAN
        return {"input": _row(seen), "truth": _row(batch["mask"])}

    @cached_property
    def _training(self) -> list[Pair]:
        return [self.training_pair(index) for index in range(self.sample_count)]

    @cached_property
    def _test(self) -> list[Pair]:
        return [self.test_pair(index) for index in range(self.test_count)]

    def _take(self, options: TaskOptions, network: str, multiple: int) -> None:
        """Read the options. Raises UsageError where the network or the data do not take them."""
        self.model = network
        if options.model not in (None, network):
            raise UsageError(f"--model {options.model!r}: {self.name} is trained with {network}")
        self.batch_size = options.batch_size or self.batch_size
        self.epochs = options.epochs or self.epochs
        self.learning_rate = options.learning_rate or self.learning_rate
        self.image_size = options.image_size or self.image_size
        self._seed = options.seed
        if self.image_size % multiple or self.image_size < _LEAST:
            raise UsageError(
                f"--image-size {self.image_size}: {network} takes multiples of {multiple}, "
                f"from {_LEAST} on"
            )
        if self.batch_size > self.sample_count:
            raise UsageError(
                f"--batch-size {self.batch_size} is larger than the data, {self.sample_count} "
                "samples: take a smaller batch"
            )


class Segmentation(_Masks):
    """Up to three real digits, a little lighter or darker than the photograph behind them.

    A narrow U-Net of three levels; 384 images to train on, 96 to test on. Or the pets of Oxford
    (``oxford-pet`` with a folder): pets and what is not.
    """

    name: ClassVar[str] = "segmentation"
    batch_size = 16
    epochs = 12
    learning_rate = 2e-3
    image_size = 48

    def __init__(self, options: TaskOptions) -> None:
        self.data = options.data or "digits-on-photos"
        known = ("digits-on-photos", "oxford-pet")
        if self.data not in known:
            raise UsageError(
                f"--data {self.data!r} is no data of segmentation: {suggest(self.data, known)}"
            )
        self._pets: tuple[Pets, Pets] | None = None
        if self.data == "oxford-pet":
            size = options.image_size or self.image_size
            self._pets = Pets.both(options.data_dir, options.download, size)
            self.sample_count, self.test_count = (len(part) for part in self._pets)
        else:
            refuse_folder(options, "digits and photographs")
            self.sample_count, self.test_count = 384, 96
        self._take(options, "unet", multiple=8)
        self._composers = tuple(Composer(self.image_size, part) for part in (True, False))

    def build(self) -> nn.Module:
        """Build the paper's U-Net, narrower: 12 channels, three levels; a logit a pixel.

        It has no normalisation: with torch's usual weights it takes ten epochs to begin to learn.
        """
        model = UNet(3 if self._pets else 1, base_channels=12, depth=3)
        model.head = nn.Conv2d(12, 1, 1)
        for module in model.modules():
            if isinstance(module, nn.Conv2d) and module is not model.head:
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        return model

    def training_pair(self, index: int) -> Pair:
        """Return an image (C, S, S) and its mask (1, S, S)."""
        return self._pets[0].pair(index) if self._pets else self._composers[0].image(index)

    def test_pair(self, index: int) -> Pair:
        """Return the same of other digits and photographs."""
        return self._pets[1].pair(index) if self._pets else self._composers[1].image(index)


class Segmentation3d(_Masks):
    """Volumes of 16 slices through which digits go, noisy; a U-Net with PReLU as medicine has it.

    96 volumes to train on, 32 to test on.
    """

    name: ClassVar[str] = "segmentation-3d"
    batch_size = 4
    epochs = 10
    learning_rate = 3e-3
    image_size = 32
    sample_count = 96
    test_count = 32
    _DEPTH: ClassVar[int] = 16

    def __init__(self, options: TaskOptions) -> None:
        self.data = "digits-in-volumes"
        if options.data not in (None, self.data):
            raise UsageError(f"--data {options.data!r}: segmentation-3d has {self.data} only")
        refuse_folder(options, "digits")
        self._take(options, "unet3d", multiple=4)
        self._composers = tuple(Composer(self.image_size, part) for part in (True, False))

    def build(self) -> nn.Module:
        """Build a volumetric U-Net of two levels."""
        return UNet3d()

    def training_pair(self, index: int) -> Pair:
        """Return a volume (1, D, S, S) and its mask."""
        return self._composers[0].volume(index, self._DEPTH)

    def test_pair(self, index: int) -> Pair:
        """Return the same of other digits and photographs."""
        return self._composers[1].volume(index, self._DEPTH)


def _stacked(pairs: list[Pair]) -> dict[str, Tensor]:
    images, masks = zip(*pairs, strict=True)
    return {"image": (torch.stack(images) - _MEAN) / _DEVIATION, "mask": torch.stack(masks)}


def _row(samples: Tensor) -> Image:
    """Join (B, C, ..., S, S) into a picture: samples side by side, volumes by a middle slice."""
    if samples.dim() == 5:
        samples = samples[:, :, samples.shape[2] // 2]
    pictures = samples.permute(0, 2, 3, 1).numpy()
    row = np.concatenate(list(pictures), axis=1)
    return row[..., 0] if row.shape[-1] == 1 else row
