"""The batch that one training step takes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import nn

from xconv_bench.data.own_inputs import inputs_by_sample, own_inputs, placed
from xconv_bench.data.synthetic import synthetic_labels, synthetic_samples
from xconv_bench.models.base import Architecture


class Batch(NamedTuple):
    """Inputs (B, ...) and what they should become, as ``Objective.loss`` takes it.

    Where the inputs are the user's own, they are a tensor, or a tuple or dict with tensors in it.
    """

    input: Any
    target: Any

    def run(self, model: nn.Module) -> Any:
        """Return the output of a network for the inputs."""
        positional, named = arguments(self.input)
        return model(*positional, **named)


def arguments(inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the inputs as the positional and the named arguments of a network."""
    if isinstance(inputs, dict):
        return (), inputs
    return (inputs if isinstance(inputs, tuple) else (inputs,)), {}


def batch(
    architecture: Architecture,
    batch_size: int,
    image_size: int,
    dtype: torch.dtype,
    device: torch.device | str,
    seed: int,
) -> Batch:
    """Return synthetic samples 0 to ``batch_size`` - 1 of this seed, on ``device``."""
    return batch_of(architecture, range(batch_size), image_size, dtype, device, seed)


def batch_of(
    architecture: Architecture,
    indices: Sequence[int],
    image_size: int,
    dtype: torch.dtype,
    device: torch.device | str,
    seed: int,
) -> Batch:
    """Return the synthetic samples of these indices, or inputs of the network's own for them."""
    sample_shape = architecture.sample_shape(image_size)
    # First of all, so that a batch which does not fit says so at once.
    if architecture.inputs is not None:
        make = inputs_by_sample if architecture.inputs_by_sample else own_inputs
        inputs = placed(make(architecture.inputs, indices, image_size, seed), dtype, device)
    else:
        inputs = synthetic_samples(sample_shape, indices, dtype, device, seed)
    if architecture.objective.takes_inputs:
        return Batch(inputs, inputs)
    target_shape = architecture.objective.target_shape(sample_shape)
    classes = architecture.objective.classes
    if classes is None:
        target = synthetic_samples(target_shape, indices, dtype, device, seed, stream="target")
    else:
        target = synthetic_labels(classes, target_shape, indices, device, seed)
    return Batch(inputs, target)


def simulated_batch(
    architecture: Architecture,
    batch_size: int,
    image_size: int,
    dtype: torch.dtype,
    device: torch.device | str = "cpu",
) -> Batch:
    """Return the same shapes and dtypes with nothing in them: for use under ``FakeTensorMode``."""
    objective = architecture.objective
    sample_shape = architecture.sample_shape(image_size)
    if architecture.inputs is not None:
        inputs = placed(architecture.inputs(batch_size, image_size), dtype, device)
    else:
        inputs = torch.empty((batch_size, *sample_shape), dtype=dtype, device=device)
    if objective.takes_inputs:
        return Batch(inputs, inputs)
    target_shape = objective.target_shape(sample_shape)
    target_dtype = dtype if objective.classes is None else torch.int64
    return Batch(
        inputs, torch.empty((batch_size, *target_shape), dtype=target_dtype, device=device)
    )
