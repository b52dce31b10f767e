"""Sources of data by name. A new source is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path

import torch

from xconv_bench.configuration import GradientConfiguration
from xconv_bench.data.batches import Batch, batch_of
from xconv_bench.data.digits import Digits
from xconv_bench.data.images import ImageFormat, check_served, is_served
from xconv_bench.data.photos import PHOTOS, Photos
from xconv_bench.data.published import Cifar10, ImageFolder, Mnist, Published
from xconv_bench.data.samples import FirstSamples, Samples
from xconv_bench.errors import UsageError
from xconv_bench.models.base import Architecture
from xconv_bench.models.messages import did_you_mean

ENDLESS = GradientConfiguration.samples
"""Samples of a source without an end, unless told otherwise."""


@dataclass(frozen=True)
class DataOptions:
    """The samples that a user asked for: ``name`` None is the default of the network.

    ``samples`` is how many of them to use, None for all; ``directory`` and ``download`` are for
    data sets that do not come with a package.
    """

    name: str | None = None
    samples: int | None = None
    directory: Path | None = None
    download: bool = False


@dataclass(frozen=True)
class Request:
    """The request to a source: a network, and the form of its samples."""

    architecture: Architecture
    image_size: int
    dtype: torch.dtype
    device: str
    seed: int
    options: DataOptions

    @property
    def format(self) -> ImageFormat:
        """Return the request for images."""
        channels = self.architecture.sample_shape(self.image_size)[0]
        objective = self.architecture.objective
        return ImageFormat(channels, self.image_size, objective, self.dtype, self.device)

    @property
    def count(self) -> int:
        """Return how many samples to make where there is no end."""
        return self.options.samples or ENDLESS


class Synthetic(Samples):
    """Random numbers of any shape, each a function of (seed, its index) alone."""

    def __init__(self, request: Request) -> None:
        self._request = request

    def __len__(self) -> int:
        return self._request.count

    @property
    def reach(self) -> float:
        """Return infinity: there are samples of any number."""
        return inf

    def batch(self, indices: Sequence[int]) -> Batch:
        """Return samples as ``xconv-bench memory`` takes them."""
        r = self._request
        return batch_of(r.architecture, indices, r.image_size, r.dtype, r.device, r.seed)


@dataclass(frozen=True)
class DataSource:
    """A data set by name; ``needs`` says in words what it needs that is not here."""

    name: str
    what: str
    needs: str
    open: Callable[[Request], Samples]
    takes_all_networks: bool = False


def _published(kind: type[Published]) -> Callable[[Request], Samples]:
    def open_set(request: Request) -> Samples:
        options = request.options
        if options.directory is None:
            raise UsageError(f"--data {options.name} needs --data-dir, the folder where it lies")
        return kind(request.format, options.directory, options.download)

    return open_set


SOURCES = {
    source.name: source
    for source in (
        DataSource(
            "photos",
            f"crops of {sum(map(len, PHOTOS.values()))} photographs, labelled by photograph",
            "nothing: they come with scikit-learn and scikit-image",
            lambda request: Photos(request.format, request.count, request.seed),
        ),
        DataSource(
            "digits",
            "1797 handwritten digits of 8×8 pixels",
            "nothing: they come with scikit-learn",
            lambda request: Digits(request.format),
        ),
        DataSource(
            "synthetic",
            "random numbers and random labels, for every network",
            "nothing",
            Synthetic,
            takes_all_networks=True,
        ),
        DataSource(
            "mnist", "60,000 handwritten digits of 28×28 pixels",
            "--data-dir, and --download the first time", _published(Mnist),
        ),
        DataSource(
            "cifar10", "50,000 photographs of 32×32 pixels, 10 classes",
            "--data-dir, and --download the first time", _published(Cifar10),
        ),
        DataSource(
            "imagefolder", "your own images, one folder a class",
            "--data-dir", _published(ImageFolder),
        ),
    )
}  # fmt: skip


def label(options: DataOptions, name: str) -> str:
    """Return the name of the data in tables: the source, with its folder where that tells more."""
    if name != "imagefolder" or options.directory is None:
        return name
    return f"{name}:{options.directory.resolve()}"


def source_of(label: str) -> str:
    """Return the source of a label."""
    return label.partition(":")[0]


IN_A_FOLDER = tuple(name for name, source in SOURCES.items() if "--data-dir" in source.needs)
"""Sources that are read from a folder of the user's."""


def default_source(architecture: Architecture, image_size: int) -> str:
    """Return ``"photos"`` for networks that take images with labels, else ``"synthetic"``."""
    return "photos" if is_served(architecture, image_size) else "synthetic"


def open_samples(
    options: DataOptions,
    architecture: Architecture,
    image_size: int,
    dtype: torch.dtype,
    device: str,
    seed: int,
) -> Samples:
    """Open samples as the network takes them.

    Raises UsageError for a source that does not exist, that has not as many samples, whose folder
    cannot be read, or that has not what the network takes.
    """
    name = options.name or default_source(architecture, image_size)
    source = SOURCES.get(name)
    if source is None:
        raise UsageError(
            f"--data {name!r} is unknown: choose from {', '.join(SOURCES)}"
            f"{did_you_mean(name, SOURCES)}"
        )
    if not source.takes_all_networks:
        check_served(architecture, image_size, name)
    samples = source.open(Request(architecture, image_size, dtype, device, seed, options))
    wanted = options.samples
    if wanted is not None and wanted > len(samples):
        raise UsageError(f"--samples {wanted}: {name} has no more than {len(samples)}")
    return FirstSamples(samples, wanted) if wanted is not None else samples
