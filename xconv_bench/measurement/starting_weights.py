"""Weights that measurements start from: drawn, published or a file's, then trained a little."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import torch
from torch import nn

from xconv_bench.configuration import GradientConfiguration
from xconv_bench.data.sources import DataOptions, open_samples
from xconv_bench.errors import UsageError
from xconv_bench.events import Event
from xconv_bench.measurement.training import build
from xconv_bench.measurement.warm_up import warm_up
from xconv_bench.models.preparing import move, tensors_of_state
from xconv_bench.models.pretrained import published_weights
from xconv_bench.models.weight_files import put_weights, read_weights
from xconv_bench.naming import model_words
from xconv_bench.results.files import explained, write_whole

RANDOM = "random"
PUBLISHED = "torchvision"
"""Values of ``weights`` that are not the path of a file."""

_EXPECTED = (
    "--weights takes random, torchvision, or a file of torch.save(network.state_dict(), FILE)"
)
_LONGEST_NAME = 150  # file systems take 255 bytes


@dataclass(frozen=True)
class StartingWeights:
    """Writes the ``state_dict`` of the exact network in float32 to ``path``, whole or not at all.

    Raises UsageError for weights that cannot be read or do not fit the network, BenchError for a
    warm-up that diverges, a download that fails and a file that cannot be written.
    """

    configuration: GradientConfiguration
    data: DataOptions
    download: bool
    path: Path

    def __call__(self) -> Iterator[Event]:
        """Make the weights, and tell of the warm-up."""
        cell = replace(self.configuration.as_exact(), dtype="float32")
        architecture, model = build(cell, self._load)
        move(model, cell.device)
        if cell.warmup_steps:
            samples = open_samples(
                self.data, architecture, cell.image_size, torch.float32, cell.device, cell.seed
            )
            yield from warm_up(model, samples, architecture.objective, cell)
        with explained(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self.path, _saved(model))

    def _load(self, model: nn.Module) -> None:
        source = source_of(self.configuration.weights)
        load_source(model, self.configuration.model, source, self.download)


def label(weights: str) -> str:
    """Return the name of the weights in tables: a file with a digest, which tells changes.

    Raises UsageError where it cannot be read.
    """
    if weights in (RANDOM, PUBLISHED):
        return weights
    return f"{weights}#{_contents(weights)[:8]}"


def source_of(label: str) -> str:
    """Return the value of ``--weights`` for a label."""
    return label.rpartition("#")[0] or label


def load_source(model: nn.Module, name: str, source: str, download: bool) -> None:
    """Put the weights that ``--weights`` names into the exact network called ``name``.

    Raises UsageError where they cannot be read or do not fit, BenchError where a download fails.
    """
    if source == PUBLISHED:
        weights = published_weights(name, download)
        remedy = "choose another image size or other --weights"
        put_weights(model, weights, f"torchvision's file of {name}", remedy)
    elif source != RANDOM:
        weights = read_weights(_file(source), _EXPECTED)
        put_weights(model, weights, source, f"give one saved from {name}")


def needs_file(configuration: GradientConfiguration) -> bool:
    """Return False where the seed alone decides the weights."""
    return configuration.weights != RANDOM or configuration.warmup_steps > 0


def file_name(configuration: GradientConfiguration) -> str:
    """Return a file name for a configuration's weights: the same for two with the same start.

    Method, batch size, dtype and device do not count. A file of the user's counts by its name and
    contents: one that was changed is another. Raises UsageError where it cannot be read.
    """
    weights = source_of(configuration.weights)
    words = (
        Path(model_words(configuration.model)).name,
        f"{configuration.image_size}px",
        Path(weights).stem,
        f"{configuration.data}{configuration.samples}",
        f"steps{configuration.warmup_steps}",
        f"seed{configuration.seed}",
    )
    contents = "" if weights in (RANDOM, PUBLISHED) else _contents(weights)
    # Words lose what no file name can hold, and the contents; the digest keeps all apart.
    digest = hashlib.blake2b(repr((configuration.model, words, contents)).encode(), digest_size=6)
    readable = re.sub(r"[^A-Za-z0-9._-]+", "_", "-".join(words))
    return f"{readable[:_LONGEST_NAME]}-{digest.hexdigest()}.pt"


def load_starting_weights(model: nn.Module, path: Path) -> None:
    """Put the weights that ``StartingWeights`` wrote to ``path`` into the exact network.

    Raises UsageError where that fails, as when the user's network has changed since.
    """
    remedy = "delete it, so that it is made again"
    put_weights(model, read_weights(path, remedy), str(path), remedy)


def _contents(weights: str) -> str:
    path = _file(weights)
    try:
        status = path.stat()
        return _digest(path, status.st_mtime_ns, status.st_size)
    except OSError as error:
        raise UsageError(
            f"--weights {weights} cannot be read: {error.strerror or error}; expected random, "
            "torchvision or the path of a file with a state_dict"
        ) from error


@cache  # every cell of a sweep asks
def _digest(path: Path, changed: int, size: int) -> str:
    """Return the digest of the file's contents; the rest tells whether they are still the same."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _file(weights: str) -> Path:
    return Path(weights).expanduser()


def _saved(model: nn.Module) -> bytes:
    buffer = io.BytesIO()
    torch.save(tensors_of_state(model), buffer)
    return buffer.getvalue()
