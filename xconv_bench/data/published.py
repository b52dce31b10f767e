"""Data sets in a folder of the user's, read by torchvision: MNIST, CIFAR-10, folders of images."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np

from xconv_bench.data.digits import MNIST_DEVIATION, MNIST_MEAN
from xconv_bench.data.images import ImageFormat, ImageSamples, resized_square
from xconv_bench.errors import BenchError, UsageError
from xconv_bench.models.messages import reason
from xconv_bench.models.torchvision_shim import import_torchvision
from xconv_bench.paths import is_folder

if TYPE_CHECKING:
    from PIL.Image import Image

CIFAR_MEAN, CIFAR_DEVIATION = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
"""Mean and deviation of CIFAR-10's training images between 0 and 1."""


class Published(ImageSamples):
    """A data set of torchvision that gives pairs of an image and a label."""

    def __init__(self, format: ImageFormat, directory: Path, download: bool) -> None:
        super().__init__(format)
        if not is_folder(directory):
            raise UsageError(f"--data-dir {directory} is no folder: give one that exists")
        import_torchvision()
        self._pairs = self._open(directory, download)

    def __len__(self) -> int:
        return len(self._pairs)

    def read(self, index: int) -> tuple[np.ndarray, int]:
        """Return the middle of an image, resized, (size, size[, 3]) of 0…255, and its label."""
        image, label = self._pairs[index]
        return resized_square(image, self.format.size), int(label)

    @abstractmethod
    def _open(self, directory: Path, download: bool) -> Any: ...


class Mnist(Published):
    """MNIST's 60,000 training digits."""

    mean, deviation = MNIST_MEAN, MNIST_DEVIATION

    def _open(self, directory: Path, download: bool) -> Any:
        from torchvision.datasets import MNIST

        return read_split(MNIST, directory, download)


class Cifar10(Published):
    """CIFAR-10's 50,000 training images."""

    mean, deviation = CIFAR_MEAN, CIFAR_DEVIATION

    def _open(self, directory: Path, download: bool) -> Any:
        from torchvision.datasets import CIFAR10

        return read_split(CIFAR10, directory, download)


class ImageFolder(Published):
    """Images in one folder a class, shuffled once and for all: the first ones are of any class."""

    def _open(self, directory: Path, download: bool) -> Any:
        from torchvision.datasets import ImageFolder as Folder

        try:
            folder = Folder(str(directory), loader=_load)
        except OSError as error:
            raise UsageError(f"--data-dir {directory}: {_line(error)}") from error
        Random(0).shuffle(folder.samples)
        return folder


def read_split(kind: Any, directory: Path, download: bool, is_training: bool = True) -> Any:
    """Open a part of a data set of torchvision: pictures in ``data``, labels in ``targets``.

    Raises UsageError where it is not there or damaged, BenchError where it cannot be fetched.
    """
    from urllib.error import URLError

    try:
        split = kind(str(directory), train=is_training, download=download)
        if len(split.data) != len(split.targets):
            raise ValueError(f"{len(split.data)} images and {len(split.targets)} labels")
    except URLError as error:
        raise BenchError(f"{kind.__name__} cannot be downloaded: {error.reason}") from error
    except OSError as error:
        raise UsageError(f"--data-dir {directory}: {_line(error)}") from error
    except Exception as error:  # Errors are of many kinds, from torchvision and pickle.
        said = str(error)
        if said.startswith("Error downloading"):
            raise BenchError(f"{kind.__name__} cannot be downloaded: {_line(error)}") from error
        if "download=True" in said:
            problem = f"{kind.__name__} is not there or not whole: --download fetches it"
        else:
            problem = f"{kind.__name__} is damaged ({reason(error)}): remove it, then --download"
        raise UsageError(f"--data-dir {directory}: {problem}") from error
    return split


def _load(path: str) -> Image:
    """Read an image file, grey or in colours of 8 bits. Raises UsageError where it is damaged."""
    import PIL.Image

    try:
        with PIL.Image.open(path) as file:
            file.load()
            return _with_8_bits(file)
    except PIL.UnidentifiedImageError as error:
        raise UsageError(f"--data-dir: {path} is no image: repair or remove it") from error
    except Exception as error:  # Errors are of many kinds: each format has its own.
        raise UsageError(
            f"--data-dir: {path} cannot be read ({_line(error)}): repair or remove it"
        ) from error


def _with_8_bits(image: Image) -> Image:
    import PIL.Image

    if image.mode.startswith("I;16"):  # Pillow would cut off what is above 255
        return PIL.Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError("its pixels have more than 16 bits")
    return image if image.mode == "L" else image.convert("RGB")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
