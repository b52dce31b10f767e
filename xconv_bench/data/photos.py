"""Real photographs that come with scikit-learn and scikit-image: crops of them, without end."""

from __future__ import annotations

import hashlib
from functools import cache
from math import inf
from pathlib import Path

import numpy as np

from xconv_bench.data.images import ImageFormat, ImageSamples
from xconv_bench.data.packaged import path_in
from xconv_bench.errors import BenchError

PHOTOS = {
    "sklearn": ("datasets/images/china.jpg", "datasets/images/flower.jpg"),
    "skimage": tuple(
        f"data/{name}"
        for name in (
            "astronaut.png", "brick.png", "camera.png", "chelsea.png", "coffee.png", "coins.png",
            "grass.png", "gravel.png", "hubble_deep_field.jpg", "ihc.png", "moon.png",
            "motorcycle_left.png", "retina.jpg", "rocket.jpg",
        )
    ),
}  # fmt: skip
"""Files by the package that carries them; a sample's label is the place of its photograph here."""

_SCALES = (1, 2, 4)


class Photos(ImageSamples):
    """Crops of photographs, each a function of (seed, its index) alone.

    Sample i is of photograph i modulo their number, shrunk to 1/1, 1/2 or 1/4 as far as the crop
    fits, from a random place, mirrored or not. Photographs smaller than the crop are enlarged.
    """

    def __init__(self, format: ImageFormat, count: int, seed: int) -> None:
        super().__init__(format)
        self._count = count
        self._seed = seed

    def __len__(self) -> int:
        return self._count

    @property
    def reach(self) -> float:
        """Return infinity: there are crops of any number."""
        return inf

    def read(self, index: int) -> tuple[np.ndarray, int]:
        """Return a crop (size, size[, 3]) and the number of its photograph."""
        size = self.format.size
        label = index % len(_files())
        digest = hashlib.blake2b(f"photo {self._seed} {index}".encode(), digest_size=16).digest()
        scale, top, left, mirror = np.frombuffer(digest, np.uint32).tolist()
        scales = _pyramid(label, size)
        image = scales[scale % len(scales)]
        top %= image.shape[0] - size + 1
        left %= image.shape[1] - size + 1
        crop = image[top : top + size, left : left + size]
        return (crop[:, ::-1] if mirror % 2 else crop), label


@cache
def _files() -> tuple[Path, ...]:
    return tuple(path_in(package, name) for package, names in PHOTOS.items() for name in names)


@cache
def _pyramid(label: int, size: int) -> list[np.ndarray]:
    """Return the photograph at each scale that holds a crop, made once a process."""
    from PIL import Image

    path = _files()[label]
    try:
        with Image.open(path) as file:
            photo = file if file.mode == "L" else file.convert("RGB")
            photo.load()
    except OSError as error:
        raise BenchError(f"{path} cannot be read ({error}): install its package again") from error
    shortest = min(photo.size)
    scales = [scale for scale in _SCALES if shortest // scale >= size]
    if not scales:
        width, height = (-(-length * size // shortest) for length in photo.size)
        return [np.asarray(photo.resize((width, height)))]
    return [
        np.asarray(photo.resize((photo.width // scale, photo.height // scale))) for scale in scales
    ]
