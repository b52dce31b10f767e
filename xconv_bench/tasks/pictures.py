"""Small pictures with labels, in a part to train on and a part to test on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from xconv_bench.data.digits import MNIST_DEVIATION, MNIST_MEAN, Digits, read_digits
from xconv_bench.data.published import CIFAR_DEVIATION, CIFAR_MEAN, read_split
from xconv_bench.errors import UsageError
from xconv_bench.models.torchvision_shim import import_torchvision
from xconv_bench.tasks.order import split

_TEST_PART = 0.2


class LabelledPictures:
    """Pictures (N, C, H, W) of 0…255 and labels; a batch is resized and normalised.

    ``channels`` repeats a grey picture for a network that takes colours.
    """

    def __init__(
        self,
        pictures: Tensor,
        labels: Tensor,
        normalisation: tuple[tuple[float, ...], tuple[float, ...]],
        size: int,
        channels: int,
    ) -> None:
        self._pictures = pictures
        self._labels = labels
        self._mean, self._deviation = (
            torch.tensor(each).view(1, -1, 1, 1) for each in normalisation
        )
        self._size = size
        self._channels = channels

    def __len__(self) -> int:
        return len(self._labels)

    def batch(self, indices: Tensor) -> dict[str, Tensor]:
        """Return ``image`` (B, C, S, S) float32 and ``label`` (B,) int64."""
        pictures = self._pictures[indices].float() / 255
        if pictures.shape[-1] != self._size:
            pictures = F.interpolate(
                pictures, (self._size, self._size), mode="bicubic", antialias=True
            ).clamp(0, 1)
        pictures = (pictures - self._mean) / self._deviation
        if pictures.shape[1] == 1 and self._channels > 1:
            pictures = pictures.expand(-1, self._channels, -1, -1).contiguous()
        return {"image": pictures, "label": self._labels[indices]}


def open_pictures(
    name: str, directory: Path | None, download: bool, size: int, channels: int
) -> tuple[LabelledPictures, LabelledPictures]:
    """Return pictures to train on and to test on. Raises UsageError for data that is not there."""
    if name == "digits":
        pictures, labels = (torch.from_numpy(part) for part in read_digits())
        pictures = pictures[:, None]
        normalisation = (Digits.mean, Digits.deviation)
        parts = [(pictures[part], labels[part].long()) for part in split(len(labels), _TEST_PART)]
    else:
        if directory is None:
            raise UsageError(f"--data {name} needs --data-dir, the folder that it lies in")
        if name == "cifar10" and channels != 3:
            raise UsageError(f"--data cifar10 is in colours, and the network takes {channels} "
                             "channel: choose another --model")  # fmt: skip
        parts, normalisation = _published(name, directory, download)
    training, test = (LabelledPictures(*part, normalisation, size, channels) for part in parts)
    return training, test


def _published(name: str, directory: Path, download: bool) -> tuple[list[Any], Any]:
    import_torchvision()
    from torchvision.datasets import CIFAR10, MNIST

    if not directory.is_dir():
        raise UsageError(f"--data-dir {directory} is no folder: give one that exists")
    kind = {"mnist": MNIST, "cifar10": CIFAR10}[name]
    parts = []
    for is_training in (True, False):
        found = read_split(kind, directory, download, is_training)
        pictures = torch.as_tensor(np.asarray(found.data))
        pictures = pictures[:, None] if pictures.dim() == 3 else pictures.permute(0, 3, 1, 2)
        parts.append((pictures, torch.as_tensor(np.asarray(found.targets)).long()))
    if name == "mnist":
        return parts, (MNIST_MEAN, MNIST_DEVIATION)
    return parts, (CIFAR_MEAN, CIFAR_DEVIATION)
