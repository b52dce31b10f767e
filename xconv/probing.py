"""How a layer is probed, and the two things that are done with its probes."""

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


def make_sketch(
    input: Tensor,
    seed: Tensor,
    probing: Probing,
    weight_shape: torch.Size,
    output_shape: torch.Size,
) -> Tensor:
    """The sketch of ``input`` with the probes of ``seed``."""
    scheme, layout = SCHEMES[probing.scheme], Layout.of(input)
    size = scheme.chunk_size(layout, probing.probes, weight_shape, output_shape)
    chunks = scheme.chunks(seed, probing.probes, size, layout, probing.distribution)
    with convolution_precision(input.device):
        return scheme.sketch(input, chunks)


def estimate_gradient(
    sketch: Tensor,
    seed: Tensor,
    grad_output: Tensor,
    geometry: Geometry,
    probing: Probing,
    layout: Layout,
    weight: Tensor,
) -> Tensor:
    """The weight gradient from the sketch, with the same probes drawn again."""
    scheme = SCHEMES[probing.scheme]
    size = scheme.chunk_size(layout, probing.probes, weight.shape, grad_output.shape)
    chunks = scheme.chunks(seed, probing.probes, size, layout, probing.distribution)
    with convolution_precision(grad_output.device):
        return scheme.weight_gradient(
            sketch, chunks, probing.probes, grad_output, geometry, layout, weight
        )
