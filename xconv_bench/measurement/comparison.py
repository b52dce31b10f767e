"""A network trained by a method, and beside it the exact one: same weights, same samples."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from xconv_bench.configuration import KNOBS, GradientConfiguration
from xconv_bench.data import Batch, Task
from xconv_bench.data.samples import Samples
from xconv_bench.data.sources import DataOptions, open_samples
from xconv_bench.errors import BenchError
from xconv_bench.measurement.starting_weights import load_starting_weights
from xconv_bench.measurement.training import Training, build, dtype_of
from xconv_bench.meters.gradient import CONVOLUTIONS, SameRandomNumbers, weight_gradients
from xconv_bench.methods import METHODS
from xconv_bench.models import Architecture

Gradients = dict[str, Tensor]
"""The gradient of each convolution's weight, by the layer's name."""

HALF_PRECISION = ("bfloat16", "float16")


@dataclass(frozen=True)
class Start:
    """Where samples and weights come from: ``weights`` is a file, None for random ones."""

    data: DataOptions
    weights: Path | None = None


class Comparison:
    """Gradients of one batch, exact and by the method of the configuration.

    The exact gradient is that of torch's own layers in the dtype of the configuration, at half
    precision that of the same rounded weights and samples in float64.
    """

    def __init__(self, configuration: GradientConfiguration, start: Start) -> None:
        self.configuration = configuration
        architecture, self.model = _network(configuration, start)
        self.task: Task = architecture.task
        self.samples: Samples = open_samples(
            start.data,
            architecture,
            configuration.image_size,
            dtype_of(configuration),
            configuration.device,
            configuration.seed,
        )
        self.is_half = configuration.dtype in HALF_PRECISION
        self.is_exact = configuration.method == "exact"
        self._reference = self._twin("float64" if self.is_half else configuration.dtype, start)
        self._rounded = self._twin(configuration.dtype, start) if self.is_half else None
        self._buffers = {name: buffer.clone() for name, buffer in self.model.named_buffers()}

    def exact(self, batch: Batch, minibatch: int, part: int = 0) -> Gradients:
        """What the others are held against; ``minibatch`` numbers the batch, ``part`` a part of it.

        Only the first part has the dropout masks of the whole.
        """
        if self.is_half:
            batch = Batch(*(t.double() if t.is_floating_point() else t for t in batch))
        return self._gradients(self._reference, "exact", batch, minibatch, part=part)

    def rounded(self, batch: Batch, minibatch: int) -> Gradients | None:
        """At half precision, the gradient of torch's own layers in that precision."""
        if self._rounded is None:
            return None
        return self._gradients(self._rounded, "exact", batch, minibatch)

    def estimates(self, batch: Batch, minibatch: int, repeats: int) -> Iterator[Gradients]:
        """The method's gradients of the same batch with one seed of the estimator after another."""
        method = self.configuration.method
        for repeat in range(repeats):
            yield self._gradients(self.model, method, batch, minibatch, repeat)

    def layers(self) -> dict[str, list[nn.Module]]:
        """The convolutions of the method's network whose weights get gradients, by name."""
        return trained_convolutions(self.model)

    @property
    def remark(self) -> str:
        """What the method says of its network after a step."""
        return METHODS[self.configuration.method].remark(self.model, self.configuration)

    def training(self, batch: Batch) -> Training:
        """A step of the method's network."""
        return Training(self.model, batch, self.task)

    def _twin(self, dtype: str, start: Start) -> nn.Module:
        configuration = replace(self.configuration.as_exact(), dtype=dtype)
        _, twin = _network(configuration, start)
        # Not its own: those of the method were rounded to its dtype.
        twin.load_state_dict(self.model.state_dict())
        return twin

    def _gradients(
        self,
        model: nn.Module,
        method: str,
        batch: Batch,
        minibatch: int,
        repeat: int = 0,
        part: int = 0,
    ) -> Gradients:
        seed = self.configuration.seed
        # Not the same for all numbers of probes: their errors would depend on each other.
        knobs = [getattr(self.configuration, knob) for knob in KNOBS]
        torch.manual_seed(_seed("estimator", seed, *knobs, minibatch, repeat))
        self._put_buffers_back(model)
        # Dropout differs from one minibatch to the next, and not from method to method.
        with SameRandomNumbers(_seed("network", seed, minibatch, part)):
            Training(model, batch, self.task).step()
        gradients = {_layer(name): g for name, g in weight_gradients(model).items()}
        infinite = [name for name, g in gradients.items() if not bool(torch.isfinite(g).all())]
        if infinite:
            raise BenchError(
                f"the {method} gradient of {_some(infinite)} is not finite (minibatch {minibatch}):"
                " start from other weights, or take float32 where it overflows"
            )
        return gradients

    def _put_buffers_back(self, model: nn.Module) -> None:
        """So that no forward pass depends on how many there were before."""
        with torch.no_grad():
            for name, buffer in model.named_buffers():
                buffer.copy_(self._buffers[name])


def trained_convolutions(model: nn.Module) -> dict[str, list[nn.Module]]:
    """Convolutions whose weights get gradients, by name; several where they share one weight."""
    modules: dict[int, list[nn.Module]] = {}
    for module in model.modules():
        if isinstance(module, CONVOLUTIONS):
            modules.setdefault(id(module.weight), []).append(module)
    return {
        _layer(name): modules[id(parameter)]
        for name, parameter in model.named_parameters()
        if id(parameter) in modules and parameter.requires_grad
    }


def _network(configuration: GradientConfiguration, start: Start) -> tuple[Architecture, nn.Module]:
    weights = start.weights
    load = None if weights is None else lambda model: load_starting_weights(model, weights)
    architecture, model = build(configuration, load)
    return architecture, model.to(configuration.device)


def _layer(parameter: str) -> str:
    return parameter.removesuffix("weight").removesuffix(".") or "(model)"


def _seed(*parts: object) -> int:
    # Of 32 bits: torch's CPU generator looks at no more.
    digest = hashlib.blake2b(" ".join(map(str, parts)).encode(), digest_size=4).digest()
    return int.from_bytes(digest)


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more layers"
