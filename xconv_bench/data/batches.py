"""The batch that one training step takes."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from xconv_bench.data.synthetic import synthetic_labels, synthetic_samples
from xconv_bench.models.base import Architecture


class Batch(NamedTuple):
    """Inputs (B, ...) and what they should become, as ``Objective.loss`` takes it."""

    input: Tensor
    target: Tensor


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
    """Return the synthetic samples of these indices."""
    sample_shape = architecture.sample_shape(image_size)
    # First of all, so that a batch which does not fit says so at once.
    inputs = synthetic_samples(sample_shape, indices, dtype, device, seed)
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
    sample_shape = architecture.sample_shape(image_size)
    target_shape = architecture.objective.target_shape(sample_shape)
    target_dtype = dtype if architecture.objective.classes is None else torch.int64
    return Batch(
        torch.empty((batch_size, *sample_shape), dtype=dtype, device=device),
        torch.empty((batch_size, *target_shape), dtype=target_dtype, device=device),
    )
