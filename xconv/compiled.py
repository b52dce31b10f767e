"""The sketch and the estimate as one operator each, for ``torch.compile``.

A compiler leaves them whole: it cannot undo a sketch to save the input instead, and the probes
keep being drawn again rather than carried from the forward pass to the backward.
"""

from typing import Sequence  # noqa: UP035 (torch 2.6 knows no other spelling in a schema)

import torch
from torch import Tensor

from xconv.geometry import Geometry
from xconv.layout import Layout
from xconv.probing import Probing, estimate_gradient, make_sketch
from xconv.schemes import SCHEMES


def sketch(
    input: Tensor,
    seed: Tensor,
    probing: Probing,
    weight_shape: torch.Size,
    output_shape: torch.Size,
) -> Tensor:
    """``make_sketch`` as one operator."""
    return _sketch(
        input, seed, weight_shape, output_shape,
        probing.probes, probing.scheme, probing.distribution,
    )  # fmt: skip


def estimate(
    sketch: Tensor,
    seed: Tensor,
    grad_output: Tensor,
    geometry: Geometry,
    probing: Probing,
    layout: Layout,
    weight: Tensor,
) -> Tensor:
    """``estimate_gradient`` as one operator."""
    return _estimate(
        sketch, seed, grad_output, weight, layout.shape, layout.channels_last,
        probing.probes, probing.scheme, probing.distribution,
        geometry.stride, geometry.padding, geometry.dilation, geometry.groups,
        geometry.transposed, geometry.output_padding, geometry.border, geometry.border_mode,
    )  # fmt: skip


@torch.library.custom_op("xconv::sketch", mutates_args=())
def _sketch(
    input: Tensor,
    seed: Tensor,
    weight_shape: Sequence[int],
    output_shape: Sequence[int],
    probes: int,
    scheme: str,
    distribution: str,
) -> Tensor:
    probing = Probing(probes, scheme, distribution)
    return make_sketch(input, seed, probing, torch.Size(weight_shape), torch.Size(output_shape))


@_sketch.register_fake
def _(
    input: Tensor,
    seed: Tensor,
    weight_shape: Sequence[int],
    output_shape: Sequence[int],
    probes: int,
    scheme: str,
    distribution: str,
) -> Tensor:
    return input.new_empty(SCHEMES[scheme].sketch_shape(Layout.of(input), probes))


@torch.library.custom_op("xconv::estimate", mutates_args=())
def _estimate(
    sketch: Tensor,
    seed: Tensor,
    grad_output: Tensor,
    weight: Tensor,
    input_shape: Sequence[int],
    channels_last: bool,
    probes: int,
    scheme: str,
    distribution: str,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    transposed: bool,
    output_padding: Sequence[int],
    border: Sequence[int],
    border_mode: str,
) -> Tensor:
    geometry = Geometry(
        tuple(stride), tuple(padding), tuple(dilation), groups,
        transposed, tuple(output_padding), tuple(border), border_mode,
    )  # fmt: skip
    layout = Layout(torch.Size(input_shape), sketch.dtype, sketch.device, channels_last)
    probing = Probing(probes, scheme, distribution)
    estimate = estimate_gradient(sketch, seed, grad_output, geometry, probing, layout, weight)
    return estimate.contiguous()


@_estimate.register_fake
def _(sketch: Tensor, seed: Tensor, grad_output: Tensor, weight: Tensor, *_: object) -> Tensor:
    return weight.new_empty(weight.shape)
