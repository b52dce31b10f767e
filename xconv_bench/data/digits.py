"""The 1797 real handwritten digits of scikit-learn, 8×8 pixels."""

from __future__ import annotations

from functools import cache

import numpy as np

from xconv_bench.data.images import ImageSamples
from xconv_bench.data.packaged import path_in
from xconv_bench.errors import BenchError

MNIST_MEAN, MNIST_DEVIATION = (0.1307,), (0.3081,)
"""Mean and deviation of MNIST's digits between 0 and 1, as its users normalise it."""


class Digits(ImageSamples):
    """Digits, resized; labels 0 to 9."""

    # Their own: they fill more of the image than MNIST's do.
    mean, deviation = (0.305,), (0.376,)

    def __len__(self) -> int:
        return len(read_digits()[1])

    def read(self, index: int) -> tuple[np.ndarray, int]:
        """Return a digit (size, size) of 0…255, interpolated, and its label."""
        from PIL import Image

        images, labels = read_digits()
        size = self.format.size
        image = Image.fromarray(images[index]).resize((size, size), Image.Resampling.BICUBIC)
        return np.asarray(image), int(labels[index])


@cache
def read_digits() -> tuple[np.ndarray, np.ndarray]:
    """Read all digits, (1797, 8, 8) of 0…255, and their labels."""
    path = path_in("sklearn", "datasets/data/digits.csv.gz")
    try:
        table = np.loadtxt(path, delimiter=",")
    except (OSError, ValueError) as error:
        raise BenchError(f"{path} cannot be read ({error}): install its package again") from error
    images, labels = table[:, :-1].reshape(-1, 8, 8), table[:, -1]
    return (images * (255 / 16)).round().astype(np.uint8), labels.astype(np.int64)
