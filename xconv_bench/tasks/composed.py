"""Real digits over real photographs, with exact masks: images and volumes to segment.

Digits and photographs of the test are others than those trained on.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from xconv_bench.data.digits import read_digits
from xconv_bench.data.images import ImageFormat
from xconv_bench.data.photos import PHOTOS, Photos
from xconv_bench.objectives.objective import SquaredError
from xconv_bench.tasks.order import split

_TEST_PART = 0.25
_MOST_DIGITS = 3
_PHOTO_COUNT = sum(len(files) for files in PHOTOS.values())
_CONTRAST = (0.35, 0.7)
"""The contrast of a digit with the picture behind it, on a range of 1."""


class Composer:
    """Makes the i-th image of the part to train on, or to test on: a function of i alone."""

    def __init__(self, size: int, is_training: bool) -> None:
        self._size = size
        self._salt = 0 if is_training else 1
        digits, photos = split(1797, _TEST_PART), split(_PHOTO_COUNT, _TEST_PART)
        self._digits = digits[0 if is_training else 1].tolist()
        self._photos = photos[0 if is_training else 1].tolist()

    def image(self, index: int) -> tuple[Tensor, Tensor]:
        """Return a photograph (1, S, S) with up to three digits, 0 to 1, and their mask."""
        chance = np.random.default_rng([self._salt, self._size, index])
        image = self._background(chance, self._size)
        mask = np.zeros_like(image)
        for _ in range(chance.integers(1, _MOST_DIGITS + 1)):
            side = int(chance.integers(self._size // 3, self._size * 2 // 3))
            digit = self._digit(chance, side)
            top, left = chance.integers(0, self._size - side + 1, 2)
            _lay(image, mask, digit, int(top), int(left), _shade(chance))
        return _tensors(image, mask)

    def volume(self, index: int, depth: int) -> tuple[Tensor, Tensor]:
        """Return a volume (1, D, S, S) of digits that drift and shrink in it, and its mask.

        Behind them a photograph moves from slice to slice, as tissue does; all of it is noisy.
        """
        chance = np.random.default_rng([2 + self._salt, self._size, index])
        wide = self._background(chance, self._size + depth)
        slices = [wide[d : d + self._size, d : d + self._size] for d in range(depth)]
        volume = np.stack(slices) + chance.normal(0, 0.03, (depth, self._size, self._size))
        mask = np.zeros_like(volume)
        for _ in range(chance.integers(1, _MOST_DIGITS)):
            first = int(chance.integers(0, depth // 2))
            length = int(chance.integers(depth // 3, depth - first + 1))
            side = int(chance.integers(self._size // 3, self._size // 2))
            top, left = chance.integers(2, self._size - side - 1, 2).astype(float)
            drift, shade = chance.uniform(-0.5, 0.5, 2), _shade(chance)
            number = int(chance.integers(len(self._digits)))
            for d in range(first, min(depth, first + length)):
                smaller = max(self._size // 4, side - (d - first) // 2)
                digit = _enlarged(self._digits[number], smaller)
                limit = self._size - smaller
                row = int(np.clip(top + drift[0] * (d - first), 0, limit))
                column = int(np.clip(left + drift[1] * (d - first), 0, limit))
                _lay(volume[d], mask[d], digit, row, column, shade)
        return _tensors(volume, mask)

    def _background(self, chance: np.random.Generator, size: int) -> np.ndarray:
        """Return a crop of a photograph, grey, from 0 to 1."""
        photo = self._photos[int(chance.integers(len(self._photos)))]
        number = photo + _PHOTO_COUNT * int(chance.integers(2**20))
        form = ImageFormat(1, size, SquaredError(), torch.float32, "cpu")
        crop, _ = Photos(form, 1, seed=self._salt).read(number)
        grey = crop if crop.ndim == 2 else crop @ np.array([0.299, 0.587, 0.114])
        return grey.astype(np.float64) / 255

    def _digit(self, chance: np.random.Generator, side: int) -> np.ndarray:
        return _enlarged(self._digits[int(chance.integers(len(self._digits)))], side)


def _enlarged(number: int, side: int) -> np.ndarray:
    """Return a digit's strokes (side, side) from 0 to 1."""
    from PIL import Image

    digits, _ = read_digits()
    image = Image.fromarray(digits[number]).resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(image, np.float64) / 255


def _shade(chance: np.random.Generator) -> float:
    return float(chance.uniform(*_CONTRAST) * chance.choice([-1, 1]))


def _lay(
    image: np.ndarray, mask: np.ndarray, digit: np.ndarray, top: int, left: int, shade: float
) -> None:
    """Lay a digit over ``image``, lighter or darker than what is there, and mark its pixels."""
    side = len(digit)
    place = (slice(top, top + side), slice(left, left + side))
    image[place] = image[place] + shade * digit
    mask[place] = np.maximum(mask[place], digit > 0.5)


def _tensors(image: np.ndarray, mask: np.ndarray) -> tuple[Tensor, Tensor]:
    clipped = torch.from_numpy(image.clip(0, 1)).float()
    return clipped[None], torch.from_numpy(mask).float()[None]
