"""Data sets in a folder of the user's, read by torchvision: MNIST, CIFAR-10, folders of images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from xconv_bench.data.digits import MNIST_DEVIATION, MNIST_MEAN
from xconv_bench.data.images import Format, ImageSamples, resized_square
from xconv_bench.errors import BenchError, UsageError
from xconv_bench.models.torchvision_shim import import_torchvision

CIFAR_MEAN, CIFAR_DEVIATION = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
"""Of CIFAR-10's training images between 0 and 1."""


class Published(ImageSamples):
    """A data set of torchvision that gives pairs of an image and a label."""

    def __init__(self, format: Format, directory: Path, download: bool) -> None:
        super().__init__(format)
        self._directory = directory
        import_torchvision()
        with self._explained():
            self._pairs = self._open(directory, download)

    def __len__(self) -> int:
        return len(self._pairs)

    def read(self, index: int) -> tuple[np.ndarray, int]:
        """The middle of an image, resized, (size, size[, 3]) of 0…255, and its label."""
        with self._explained():
            image, label = self._pairs[index]
            return resized_square(image, self.format.size), int(label)

    def _open(self, directory: Path, download: bool) -> Any:
        raise NotImplementedError

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """One line for what torchvision and Pillow raise of folders and files."""
        if not self._directory.is_dir():
            raise UsageError(f"--data-dir {self._directory} is no folder: give one that exists")
        try:
            yield
        except (OSError, RuntimeError, ValueError, EOFError, KeyError, SyntaxError) as error:
            words = " ".join(str(error).split()) or type(error).__name__
            raise UsageError(f"--data-dir {self._directory}: {words[:300]}") from error


class Mnist(Published):
    """MNIST's 60,000 training digits."""

    mean, deviation = MNIST_MEAN, MNIST_DEVIATION

    def _open(self, directory: Path, download: bool) -> Any:
        from torchvision.datasets import MNIST

        return _fetched(lambda: MNIST(str(directory), train=True, download=download), download)


class Cifar10(Published):
    """CIFAR-10's 50,000 training images."""

    mean, deviation = CIFAR_MEAN, CIFAR_DEVIATION

    def _open(self, directory: Path, download: bool) -> Any:
        from torchvision.datasets import CIFAR10

        return _fetched(lambda: CIFAR10(str(directory), train=True, download=download), download)


class ImageFolder(Published):
    """Images in one folder a class, in any order that the file system does not decide."""

    def _open(self, directory: Path, download: bool) -> Any:
        from torchvision.datasets import ImageFolder as Folder

        return Folder(str(directory))


def _fetched(open_set: Callable[[], Any], download: bool) -> Any:
    """The data set; where it was to be downloaded, a failure is none of the folder's."""
    from urllib.error import URLError

    try:
        return open_set()
    except URLError as error:
        raise BenchError(f"the download failed: {error.reason}; try again later") from error
    except RuntimeError as error:
        if download or "download=True" not in str(error):
            raise
        raise ValueError("the data set is not there or not whole: --download fetches it") from error
