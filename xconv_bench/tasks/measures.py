"""Measures of classes and masks, as scikit-learn has them."""

from __future__ import annotations

from torch import Tensor

from xconv_bench.tasks.base import Measure

ACCURACY = Measure("accuracy", "accuracy", "the part of the test samples that it gets right")
DICE = Measure("dice", "Dice", "2·|A∩B| / (|A|+|B|) over all pixels of the test images")
IOU = Measure("iou", "IoU", "|A∩B| / |A∪B| over the same pixels")


class Overlap:
    """Pixels of predicted and of true masks, image by image, and what they have in common."""

    def __init__(self) -> None:
        self._both = self._predicted = self._true = 0.0

    def add(self, predicted: Tensor, true: Tensor) -> None:
        """Compare two bool masks of one shape."""
        self._both += float((predicted & true).sum())
        self._predicted += float(predicted.sum())
        self._true += float(true.sum())

    @property
    def dice(self) -> float:
        """Return the Dice coefficient, 1 where both masks are empty."""
        total = self._predicted + self._true
        return 2 * self._both / total if total else 1.0

    @property
    def iou(self) -> float:
        """Return the intersection over the union, 1 where both masks are empty."""
        union = self._predicted + self._true - self._both
        return self._both / union if union else 1.0
