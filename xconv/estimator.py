"""The one autograd function behind every layer: exact outputs, estimated weight gradients."""

from typing import Any

import torch
from torch import Tensor

from xconv import autocast, compiled
from xconv.budget import Member
from xconv.differentiation import needed, refuse_batched
from xconv.geometry import Geometry
from xconv.layout import Layout
from xconv.probing import Probing, estimate_gradient, keep
from xconv.spectrum.plan import BlockPlan


class SketchedConvolution(torch.autograd.Function):
    """A convolution that keeps a sketch of its input, or nothing, in place of the input.

    Output, input gradient and bias gradient are exact, and so are their derivatives. Without a
    ``seed`` no sketch is made and the weight gets no gradient.
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
        plan: BlockPlan | None,
        observer: Member | None,
    ) -> Tensor:
        """Convolve a batch, with the shapes of ``torch.nn.functional.conv*d``, and keep a sketch.

        The weight is saved in its own dtype: under autocast, saving the cast weight would keep one
        copy for every call. ``plan`` divides the bits of the spectral scheme; ``observer`` records
        the spectra of the input and of its output gradient for the next plan.
        """
        bias = None if bias is None else autocast.cast(bias)
        output = geometry.convolve(input, autocast.cast(weight), bias)
        ctx.geometry, ctx.probing, ctx.layout = geometry, probing, Layout.of(input)
        ctx.observer = observer
        kept: tuple[Tensor, ...] = ()
        if seed is not None:
            whole = torch.compiler.is_compiling() or compiled.is_selective()
            keep_input = compiled.keep if whole else keep
            sizes = weight.shape, output.shape
            with compiled.unheard():
                kept = keep_input(input, seed, probing, ctx.layout, *sizes, plan)
            if observer is not None:
                with autocast.switched_off(input.device.type), compiled.unseen():
                    observer.see_input(input)
        ctx.save_for_backward(weight, *kept)
        return output

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of input, weight and bias, built from differentiable operations.

        The estimated weight gradient is an exception: under ``create_graph`` it is one operator
        whose derivative raises RuntimeError.
        """
        weight, *kept = ctx.saved_tensors
        needs_input, needs_weight, needs_bias = needed(ctx, 3)
        grad_input = grad_weight = grad_bias = None
        with autocast.switched_off(grad_output.device.type):
            dtype = weight.dtype
            if dtype != ctx.layout.dtype:  # under autocast
                weight = weight.to(ctx.layout.dtype)
            if needs_bias:
                grad_bias = grad_output.sum((0, *range(2, grad_output.dim())))
            if needs_weight:
                refuse_batched(grad_output)
                if ctx.observer is not None:
                    ctx.observer.see_gradient(grad_output, ctx.geometry, weight, ctx.layout)
                whole = torch.compiler.is_compiling() or torch.is_grad_enabled()
                estimate = compiled.estimate if whole else estimate_gradient
                grad_weight = estimate(
                    kept, grad_output, ctx.geometry, ctx.probing, ctx.layout, weight, dtype
                )
            if needs_input:
                grad_input = ctx.geometry.input_gradient(grad_output, weight, ctx.layout.shape)
        return grad_input, grad_weight, grad_bias, None, None, None, None, None
