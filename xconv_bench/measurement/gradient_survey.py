"""Survey of models, their layers and their data before gradients are compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

import torch

from xconv_bench.configuration import Configuration
from xconv_bench.data.sources import DataOptions, default_source, label, open_samples
from xconv_bench.errors import UsageError
from xconv_bench.events import Event
from xconv_bench.measurement.comparison import trained_convolutions
from xconv_bench.measurement.starting_weights import load_source
from xconv_bench.measurement.survey import Survey
from xconv_bench.measurement.training import build
from xconv_bench.models import Architecture, find
from xconv_bench.models.messages import did_you_mean
from xconv_bench.models.several_inputs import images_alone
from xconv_bench.results.schema import ALL_LAYERS


@dataclass(frozen=True)
class GradientSurvey:
    """Yields ``designed_sizes``, and by model ``data``, its name, and ``samples``, their number.

    Raises as ``Survey`` does, and UsageError for data that a model does not take or that cannot
    be read, for batches that are larger than the data, for weights that cannot be read or do not
    fit, for layers that no model has, and for a model without convolutions. ``takes_inputs`` says
    whether the command has ``--inputs``.
    """

    models: tuple[str, ...]
    devices: tuple[str, ...]
    image_sizes: tuple[int, ...]
    batch_sizes: tuple[int, ...]
    layers: tuple[str, ...]
    data: DataOptions
    weights: str
    takes_inputs: bool = True

    def __call__(self) -> Iterator[Event]:
        """Look at every model with its data."""
        with nullcontext() if self.takes_inputs else images_alone():
            yield from self._look()

    def _look(self) -> Iterator[Event]:
        yield from Survey(self.models, self.devices, self.image_sizes, computes=True)()
        architectures = [find(name) for name in self.models]
        opened = [self._open(architecture) for architecture in architectures]
        self._check_layers(architectures)
        yield {
            "data": {name: data for name, (data, _) in zip(self.models, opened, strict=True)},
            "samples": {name: count for name, (_, count) in zip(self.models, opened, strict=True)},
        }

    def _open(self, architecture: Architecture) -> tuple[str, int]:
        """Name and number of the samples; one batch of them is read, which finds damage early."""
        count = 0
        for size in self.image_sizes or (architecture.image_size,):
            name = self.data.name or default_source(architecture, size)
            samples = open_samples(self.data, architecture, size, torch.float32, "cpu", seed=0)
            count = len(samples)
            samples.batch([0])
            for batch_size in self.batch_sizes:
                if batch_size > count:
                    raise UsageError(
                        f"--batch-size {batch_size} is larger than the data, {count} samples of "
                        f"{name}: take a smaller batch, or more --samples where there are more"
                    )
        return label(self.data, name), count

    def _check_layers(self, architectures: list[Architecture]) -> None:
        known: dict[str, None] = {}
        for architecture in architectures:
            size = (self.image_sizes or (architecture.image_size,))[0]
            _, model = build(
                Configuration(architecture.name, image_size=size),
                partial(
                    load_source,
                    name=architecture.name,
                    source=self.weights,
                    download=self.data.download,
                ),
            )
            layers = trained_convolutions(model)
            if not layers:
                raise UsageError(
                    f"{architecture.name} has no convolution whose weight is trained: "
                    "there is no gradient to compare"
                )
            if ALL_LAYERS in layers:
                raise UsageError(
                    f"{architecture.name} has a layer called {ALL_LAYERS!r}, which stands for all "
                    "layers here: rename it"
                )
            known |= dict.fromkeys(layers)
        for layer in self.layers:
            if layer not in known:
                near = did_you_mean(layer, known) or f": choose from {', '.join(_some(known))}"
                raise UsageError(f"--layer {layer!r} is unknown{near}")


def _some(names: Iterable[str]) -> list[str]:
    """Return the first names, and how many there are."""
    shown = list(names)
    return shown if len(shown) <= 8 else [*shown[:7], f"… ({len(shown)} layers)"]
