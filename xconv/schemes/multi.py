"""Multi-channel probes: one probe spans all channels and pixels.

``Z`` is C·N × r and the sketch is B × r, the smallest of all schemes. The gradient is

    dW ≈ (1/r) Σ_j z_j ⋆ (Σ_b S_bj δ_b),

an ordinary weight gradient with a *batch of r*: the probes are the images, the mixed output
gradients ``Sᵀδ`` their gradients. The backend's own kernel computes it for every geometry.
"""

from math import prod

import torch
from torch import Tensor

from xconv.geometry import Geometry
from xconv.layout import Layout, in_memory_order, is_channels_last
from xconv.schemes.base import SMALL_CHUNK, Probes


class Multi(Probes):
    """E‖error‖² ∝ C/r: channels disturb one another."""

    name = "multi"

    def probe_shape(self, layout: Layout) -> tuple[int, ...]:
        """(C, *pixels)"""
        return tuple(layout.shape[1:])

    def sketch_shape(self, layout: Layout, probes: int) -> tuple[int, ...]:
        """(B, r)"""
        return layout.shape[0], probes

    def chunk_size(
        self, layout: Layout, probes: int, weight: torch.Size, output: torch.Size
    ) -> int:
        """Half a batch: a probe is as large as an image, its mixed gradient as an output. More of
        small ones, whose size is no matter and whose number would be."""
        largest = max(prod(layout.shape[1:]), prod(output[1:]))
        return max(1, layout.shape[0] // 2, SMALL_CHUNK // largest)

    def project(self, input: Tensor, probes: Tensor) -> Tensor:
        """(B × C·N)(C·N × n), both flattened in the order in which they lie in memory."""
        channels_last = is_channels_last(input)
        return _rows(input, channels_last) @ _rows(probes, channels_last).t()

    def expand(self, probes: Tensor, coefficients: Tensor, result: Tensor, beta: int) -> None:
        """(B × n)(n × C·N)"""
        channels_last = is_channels_last(result)
        rows = _rows(result, channels_last)
        rows.addmm_(coefficients, _rows(probes, channels_last), beta=beta)

    def expanding_costs_less(
        self, layout: Layout, probes: int, weight: torch.Size, output: torch.Size
    ) -> bool:
        """A weight gradient over the batch, or one over the probes."""
        return probes > layout.shape[0]

    def correlate(
        self,
        probes: Tensor,
        coefficients: Tensor,
        grad_output: Tensor,
        geometry: Geometry,
        weight: Tensor,
    ) -> Tensor:
        """One weight gradient over the chunk, as a batch of probes."""
        layout = Layout.of(grad_output)
        mixed = coefficients.t() @ _rows(grad_output, layout.channels_last)
        shape = (probes.shape[0], *grad_output.shape[1:])
        mixed = self.arrange(mixed.view(-1), shape[0], shape[1:], layout)
        return geometry.weight_gradient(mixed, probes, weight)


def _rows(images: Tensor, channels_last: bool) -> Tensor:
    """(n, C, *pixels) as (n, C·N) in memory order; a view where they lie so."""
    return in_memory_order(images, channels_last).flatten(1)
