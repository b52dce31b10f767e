"""A network trained by a method, and beside it the exact one: same weights, same samples."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from xconv.kept import KeptMeter
from xconv_bench.configuration import GradientConfiguration
from xconv_bench.data import Batch
from xconv_bench.data.minibatches import minibatch_apart
from xconv_bench.data.samples import Samples
from xconv_bench.data.sources import DataOptions, open_samples
from xconv_bench.errors import BenchError
from xconv_bench.knobs import KNOBS
from xconv_bench.measurement.learning import learns, remark_on_inputs
from xconv_bench.measurement.repeatable_step import (
    Floor,
    Gradients,
    RepeatableStep,
    words_on_losses,
)
from xconv_bench.measurement.starting_weights import load_starting_weights
from xconv_bench.measurement.training import build, dtype_of, remark
from xconv_bench.meters.gradient import convolution_weights
from xconv_bench.models import Architecture
from xconv_bench.models.preparing import copy_tensors, move
from xconv_bench.objectives import Objective
from xconv_bench.results.schema import ALL_LAYERS

HALF_PRECISION = ("bfloat16", "float16")
_EARLIER = -1
"""Number of the minibatch from which a method learns before others are measured."""


@dataclass(frozen=True)
class Start:
    """The source of samples and weights: ``weights`` is a file, None for random ones."""

    data: DataOptions
    weights: Path | None = None


class GradientComparison:
    """Gradients of one batch, exact and by the method of the configuration.

    The exact gradient is that of torch's own layers in the dtype of the configuration, at half
    precision that of the same rounded weights and samples in float64. Estimates are those of
    training: what a method learns of a network, such as the plan of ``spectral``, comes from a
    batch before, by ``learn``, and nothing is learnt from those that are measured.
    """

    def __init__(self, configuration: GradientConfiguration, start: Start) -> None:
        self.configuration = configuration
        self._architecture, self.model = _network(configuration, start)
        architecture = self._architecture
        self.objective: Objective = architecture.objective
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
        self._method = RepeatableStep(self.model, self.objective)
        self._has_learnt = self.is_exact
        self.remark_on_learning = ""
        self._rounded = self._method if self.is_exact else None
        if self.is_half and not self.is_exact:
            self._rounded = self._twin(configuration.dtype, start)
        # The exact method is held against itself: the same network, run a second time.
        is_twin = self.is_half or not self.is_exact
        dtype = "float64" if self.is_half else configuration.dtype
        self._reference = self._twin(dtype, start) if is_twin else self._method

    def learn(self, measured: Sequence[Sequence[int]]) -> None:
        """Let the method learn from a batch apart from the ``measured`` minibatches (numbers).

        Where the data have too few other samples, or no others, ``remark_on_learning`` says so.
        """
        if self.is_exact:
            return
        size, seed = self.configuration.batch_size, self.configuration.seed
        taken = {number for minibatch in measured for number in minibatch}
        earlier = minibatch_apart(self.samples, size, seed, taken)
        self._method.learn(self.samples.batch(earlier), *self._seeds(_EARLIER))
        self._has_learnt = True
        shared = len(taken.intersection(earlier))
        if not learns(self.model):
            return
        self.remark_on_learning = self.remark_on_inputs()
        if shared:
            self.remark_on_learning = (
                f"how bits are divided was learnt from {size} samples, {shared} of them among the "
                f"{len(taken)} measured: the data have no others, and errors may be smaller than "
                "in training"
            )

    def exact(self, batch: Batch, minibatch: int, part: int = 0) -> Gradients:
        """Return the gradient to compare with; ``minibatch`` and ``part`` number the batch.

        Only the first part has the dropout masks of the whole.
        """
        if self.is_half:
            batch = tree_map(_doubled, batch)
        return self._gradients(self._reference, "exact", batch, minibatch, part=part)

    def floor(self, exact: Gradients, batch: Batch, minibatch: int) -> Floor:
        """Return how far the exact gradient lies from itself, computed a second time."""
        return Floor(exact, self.exact(batch, minibatch), self._reference.lost)

    def rounded(self, batch: Batch, minibatch: int) -> Gradients | None:
        """Return, at half precision, the gradient of torch's own layers in that precision."""
        if self._rounded is None or not self.is_half:
            return None
        return self._gradients(self._rounded, "exact", batch, minibatch)

    def estimates(self, batch: Batch, minibatch: int, repeats: int) -> Iterator[Gradients]:
        """Yield the method's gradients of the same batch with one estimator's seed after another.

        ``learn`` must have been called.
        """
        self._check_has_learnt()
        method = self.configuration.method
        for repeat in range(repeats):
            yield self._gradients(self._method, method, batch, minibatch, repeat)

    def saved_bytes(self, batch: Batch) -> dict[str, int]:
        """Return the bytes that autograd keeps for each layer of the method's network.

        ``learn`` must have been called.
        """
        self._check_has_learnt()
        training = self._method.training(batch)
        layers = self.layers()
        meter = KeptMeter(training.state(), layers)
        with self._method.begun(*self._seeds(0)), meter:
            loss = training.forward()
        readings = {name: meter.bytes_of(name) for name in layers}
        readings[ALL_LAYERS] = meter.total_bytes
        del loss  # until here it holds the graph, and the graph what is saved
        return readings

    def layers(self) -> dict[str, list[nn.Module]]:
        """Return the convolutions of the method's network whose weights get gradients, by name."""
        return trained_convolutions(self.model)

    @property
    def remark(self) -> str:
        """Return the remarks of the method on its network after a step, and of the loss."""
        latest = self._method.latest
        return "" if latest is None else remark(latest, self.configuration)

    def remark_on_inputs(self) -> str:
        """Return a remark where the network's own inputs are the same for all samples."""
        return remark_on_inputs(self._architecture, self.configuration)

    def remark_on_losses(self) -> str:
        """Return a remark where exact and estimate of one batch had different losses."""
        return words_on_losses(
            self._reference.loss, self._method.loss, dtype_of(self.configuration)
        )

    def _check_has_learnt(self) -> None:
        # Otherwise the figures would be those of a first step, which training has once.
        assert self._has_learnt, "call learn() before anything of the method is measured"

    def _twin(self, dtype: str, start: Start) -> RepeatableStep:
        configuration = replace(self.configuration.as_exact(), dtype=dtype)
        _, twin = _network(configuration, start)
        # Not its own: those of the method were rounded to its dtype.
        copy_tensors(self.model, twin)
        return RepeatableStep(twin, self.objective)

    def _gradients(
        self,
        step: RepeatableStep,
        method: str,
        batch: Batch,
        minibatch: int,
        repeat: int = 0,
        part: int = 0,
    ) -> Gradients:
        found = step.gradients(batch, *self._seeds(minibatch, repeat, part))
        gradients = {_layer(name): gradient for name, gradient in found.items()}
        infinite = [name for name, g in gradients.items() if not bool(torch.isfinite(g).all())]
        if infinite:
            raise BenchError(
                f"the {method} gradient of {_some(infinite)} is not finite (minibatch {minibatch}):"
                " start from other weights, or take float32 where it overflows"
            )
        return gradients

    def _seeds(self, minibatch: int, repeat: int = 0, part: int = 0) -> tuple[int, int]:
        """Return the seeds of the network and of the estimator.

        Dropout differs from one minibatch to the next, and not from method to method.
        """
        seed = self.configuration.seed
        # Not the same for all numbers of probes: their errors would depend on each other.
        knobs = [getattr(self.configuration, knob) for knob in KNOBS]
        return (
            _seed("network", seed, minibatch, part),
            _seed("estimator", seed, *knobs, minibatch, repeat),
        )


def trained_convolutions(model: nn.Module) -> dict[str, list[nn.Module]]:
    """Return convolutions whose weights get gradients, by name; several may share a weight."""
    return {
        _layer(name): having
        for name, (weight, having) in convolution_weights(model).items()
        if weight.requires_grad
    }


def _network(configuration: GradientConfiguration, start: Start) -> tuple[Architecture, nn.Module]:
    weights = start.weights
    load = None if weights is None else lambda model: load_starting_weights(model, weights)
    architecture, model = build(configuration, load)
    move(model, configuration.device)
    return architecture, model


def _doubled(part: Any) -> Any:
    return part.double() if isinstance(part, Tensor) and part.is_floating_point() else part


def _layer(parameter: str) -> str:
    return parameter.removesuffix("weight").removesuffix(".") or "(model)"


def _seed(*parts: object) -> int:
    # 32 bits: torch's CPU generator looks at no more.
    digest = hashlib.blake2b(" ".join(map(str, parts)).encode(), digest_size=4).digest()
    return int.from_bytes(digest)


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more layers"
