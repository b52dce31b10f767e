"""Probes that a scheme can be handed in place of random ones."""

from collections.abc import Iterator
from math import prod

import torch
from torch import Tensor

from xconv.layout import Layout
from xconv.schemes import Scheme

Probes = list[tuple[slice, Tensor]]


def complete_probes(scheme: Scheme, layout: Layout) -> Tensor:
    """Orthogonal probes Z that are as many as they have entries: ``Z Zᵀ = r·I``, exactly."""
    shape = scheme.probe_shape(layout)
    size = prod(shape)
    numbers = torch.randn(size, size, dtype=torch.float64, generator=torch.Generator())
    orthogonal = torch.linalg.qr(numbers).Q * size**0.5
    return orthogonal.view(size, *shape).to(layout.dtype)


def handed_out(scheme: Scheme, probes: Tensor, size: int, layout: Layout) -> Iterator:
    """``probes`` as ``Scheme.chunks`` yields them: ``size`` at a time, each a tensor of its own."""
    for start in range(0, len(probes), size):
        some = probes[start : start + size]
        blank = torch.empty(some.numel(), dtype=some.dtype)
        chunk = scheme.arrange(blank, len(some), tuple(some.shape[1:]), layout)
        yield slice(start, start + len(some)), chunk.copy_(some)


def projected(input: Tensor, probes: Tensor) -> Tensor:
    """``x̂ = Z Zᵀ x / r``, straight from the definition, in float64.

    Probes of one channel project each channel on its own.
    """
    images, z = input.double(), probes.double()
    if z.shape[1] == 1 < images.shape[1]:
        images, z = images.flatten(0, 1).unsqueeze(1), z
    sketch = images.flatten(1) @ z.flatten(1).t()
    return (sketch @ z.flatten(1) / len(z)).view(input.shape)
