"""How a layer is probed, and the two things that are done with its probes."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from xconv.geometry import Geometry
from xconv.layout import Layout
from xconv.precision import convolution_precision
from xconv.random import DISTRIBUTIONS
from xconv.schemes import SCHEMES


@dataclass(frozen=True)
class Probing:
    """How the weight gradient of a layer is estimated. ``probes=0`` means exactly.

    Raises ValueError or TypeError, with the value given and the values allowed, when it is made
    with anything else.
    """

    probes: int = 8
    scheme: str = "independent"
    distribution: str = "rademacher"

    def __post_init__(self) -> None:
        if isinstance(self.probes, bool) or not isinstance(self.probes, int):
            raise TypeError(
                f"probes must be an integer, 0 for the exact layer; got {self.probes!r}"
            )
        if self.probes < 0:
            raise ValueError(f"probes must be 0 (the exact layer) or more; got {self.probes}")
        if self.scheme not in SCHEMES:
            raise ValueError(f"unknown scheme {self.scheme!r}; choose from {', '.join(SCHEMES)}")
        if self.distribution not in DISTRIBUTIONS:
            raise ValueError(
                f"unknown distribution {self.distribution!r}; "
                f"choose from {', '.join(DISTRIBUTIONS)}"
            )

    def saves_memory(self, input: Tensor) -> bool:
        """Whether the sketch of ``input`` (batch, channels, *pixels) is smaller than ``input``."""
        if self.probes == 0 or input.numel() == 0 or input.is_complex():
            return False
        shape = SCHEMES[self.scheme].sketch_shape(Layout.of(input), self.probes)
        return prod(shape) < input.numel()


def keep(
    input: Tensor,
    seed: Tensor,
    probing: Probing,
    layout: Layout,
    weight_shape: torch.Size,
    output_shape: torch.Size,
) -> tuple[Tensor, ...]:
    """Return what is kept of ``input``: the seed, then the sketch that its probes leave."""
    scheme = SCHEMES[probing.scheme]
    size = scheme.chunk_size(layout, probing.probes, weight_shape, output_shape)
    chunks = scheme.chunks(seed, probing.probes, size, layout, probing.distribution)
    with convolution_precision(input.device):
        return seed, scheme.sketch(input, chunks)


def estimate_gradient(
    kept: Sequence[Tensor],
    grad_output: Tensor,
    geometry: Geometry,
    probing: Probing,
    layout: Layout,
    weight: Tensor,
    dtype: torch.dtype,
) -> Tensor:
    """Return the weight gradient, in ``dtype``, shape and strides of ``weight``, from what ``keep``
    gave.

    The same probes are drawn again. Raises RuntimeError if hooks of saved tensors turned the seed
    into something else.
    """
    seed, sketch = kept
    if seed.dtype != torch.int64 or seed.dim():
        raise RuntimeError(
            "the seed of a sketch was saved as a 0-d int64 tensor and came back as "
            f"{tuple(seed.shape)} {seed.dtype}; hooks of saved tensors must give back what they got"
        )
    scheme = SCHEMES[probing.scheme]
    size = scheme.chunk_size(layout, probing.probes, weight.shape, grad_output.shape)
    chunks = scheme.chunks(seed, probing.probes, size, layout, probing.distribution)
    with convolution_precision(grad_output.device):
        gradient = scheme.weight_gradient(
            sketch, chunks, probing.probes, grad_output, geometry, layout, weight
        )
    gradient = gradient.to(dtype)  # the sum in float32 is gone before it is laid otherwise
    return _strided_as(gradient, weight)


def _strided_as(gradient: Tensor, weight: Tensor) -> Tensor:
    """``gradient`` as ``weight`` lies: distributed training compares the strides of both, also
    those of dimensions of size 1, which mean nothing."""
    if gradient.stride() == weight.stride():
        return gradient
    if weight.is_contiguous():
        return gradient.reshape(-1).view(weight.shape)
    return torch.empty_like(weight, dtype=gradient.dtype).copy_(gradient)
