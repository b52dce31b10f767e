"""Images with labels, resized and normalised to what a network takes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from xconv_bench.data.batches import Batch
from xconv_bench.data.samples import Samples
from xconv_bench.errors import UsageError
from xconv_bench.models.base import Architecture
from xconv_bench.objectives.automatic import AutomaticObjective
from xconv_bench.objectives.objective import CrossEntropy, Objective, SquaredError

if TYPE_CHECKING:
    from PIL.Image import Image

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
"""Mean and deviation of the channels of ImageNet's photographs, between 0 and 1."""

_SERVED = (CrossEntropy, AutomaticObjective, SquaredError)


@dataclass(frozen=True)
class ImageFormat:
    """Images (channels, size, size) as a network takes them: dtype, device and objective."""

    channels: int
    size: int
    objective: Objective
    dtype: torch.dtype
    device: str


def is_served(architecture: Architecture, image_size: int) -> bool:
    """Return whether labelled images are all that a network needs."""
    shape = architecture.sample_shape(image_size)
    are_images = shape[0] in (1, 3) and shape[1:] == (image_size, image_size)
    served = architecture.inputs is None and isinstance(architecture.objective, _SERVED)
    return are_images and served


def check_served(architecture: Architecture, image_size: int, data: str) -> None:
    """Raise UsageError where labelled images are not what the network takes."""
    if not is_served(architecture, image_size):
        shape = architecture.sample_shape(image_size)
        raise UsageError(
            f"--data {data} has images with one label each, and {architecture.name} takes "
            f"{shape} for {architecture.objective.purpose}: use --data synthetic"
        )


class ImageSamples(Samples):
    """Images that are read one by one.

    The target of a network that classifies is the label, modulo its classes where there are more
    labels; of one that reconstructs, the image itself.
    """

    mean: Sequence[float] = IMAGENET_MEAN
    deviation: Sequence[float] = IMAGENET_DEVIATION
    """Deviation of the channels between 0 and 1; means of both stand for a single channel."""

    def __init__(self, format: ImageFormat) -> None:
        self.format = format

    @abstractmethod
    def read(self, index: int) -> tuple[np.ndarray, int]:
        """Return an image (size, size) or (size, size, 3) of 0…255, and its label."""

    def batch(self, indices: Sequence[int]) -> Batch:
        """Return normalised images (B, channels, size, size) and their targets."""
        images, labels = zip(*(self.read(index) for index in indices), strict=True)
        channels = self.format.channels
        input = self._normalise(np.stack([_with_channels(image, channels) for image in images]))
        input = input.to(self.format.device, self.format.dtype)
        objective = self.format.objective
        if isinstance(objective, SquaredError):
            return Batch(input, input)
        target = torch.tensor(labels, device=self.format.device)
        return Batch(input, target if objective.classes is None else target % objective.classes)

    def _normalise(self, images: np.ndarray) -> Tensor:
        """Turn (B, size, size, channels) of 0…255 into (B, channels, size, size) of unit variance.

        ``images`` may be overwritten.
        """
        values = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous().float().div_(255)
        constants = (torch.tensor(self.mean), torch.tensor(self.deviation))
        if self.format.channels == 1:
            constants = (constants[0].mean(0, True), constants[1].mean(0, True))
        mean, deviation = (each.view(1, -1, 1, 1) for each in constants)
        return values.sub_(mean).div_(deviation)


def resized_square(image: Image, size: int) -> np.ndarray:
    """Cut out the largest square in the middle, resized with antialiasing: (size, size[, 3]) bytes.

    ``image`` is grey (``"L"``) or in colour (``"RGB"``).
    """
    side = min(image.size)
    left, top = ((length - side) // 2 for length in image.size)
    # Cut first: what lies outside of the box of ``resize`` would shine through at the edges.
    square = image.crop((left, top, left + side, top + side))
    return np.asarray(square.resize((size, size), reducing_gap=3.0))


def _with_channels(image: np.ndarray, channels: int) -> np.ndarray:
    """Return (size, size, channels): grey repeated, or colours averaged for one channel."""
    if image.ndim == 2:
        return np.repeat(image[..., None], channels, axis=2)
    if channels == 1:
        return image.mean(axis=2, keepdims=True, dtype=np.float32)
    return image
