"""The one autograd function behind every layer: what is kept, and what it is turned into."""

from typing import Any

import torch
from torch import Tensor

from xconv import autocast, compiled
from xconv.geometry import Geometry
from xconv.layout import Layout
from xconv.probing import Probing, estimate_gradient, make_sketch


class SketchedConvolution(torch.autograd.Function):
    """A convolution that keeps a sketch of its input, or nothing, in place of the input.

    Forward and input gradient are exact, the bias gradient too. Without a ``seed`` no sketch is
    made and the weight gets no gradient.
    """

    @staticmethod
    def forward(
        ctx: Any,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        seed: Tensor | None,
        geometry: Geometry,
        probing: Probing,
    ) -> Tensor:
        """Shapes as ``torch.nn.functional.conv*d`` takes them, batched."""
        output = geometry.convolve(input, weight, bias)
        ctx.geometry, ctx.probing, ctx.layout = geometry, probing, Layout.of(input)
        sketch = None
        if seed is not None:
            make = compiled.sketch if torch.compiler.is_compiling() else make_sketch
            sketch = make(input, seed, probing, weight.shape, output.shape)
        ctx.save_for_backward(weight, seed, sketch)
        return output

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        weight, seed, sketch = ctx.saved_tensors
        needs_input, needs_weight, needs_bias = ctx.needs_input_grad[:3]
        grad_input = grad_weight = grad_bias = None
        with autocast.switched_off(grad_output.device.type):
            if needs_bias:
                grad_bias = grad_output.sum((0, *range(2, grad_output.dim())))
            if needs_weight:
                estimate = compiled.estimate if torch.compiler.is_compiling() else estimate_gradient
                grad_weight = estimate(
                    sketch, seed, grad_output, ctx.geometry, ctx.probing, ctx.layout, weight
                )
            if needs_input:
                grad_input = ctx.geometry.input_gradient(grad_output, weight, ctx.layout.shape)
        return grad_input, grad_weight, grad_bias, None, None, None
