"""Backward passes of convolutions with output gradients averaged over patches.

Source: Yang, Li and Marculescu, "Efficient On-device Training via Gradient Filtering", CVPR 2023,
arXiv 2301.00330, figure 2. The gradient δ of an output is replaced by its averages δ̃ over patches
of P × P pixels. Taking δ̃ for constant around each patch, where kernels reach beyond it, gives

    dW[o, c, k] = Σ_b Σ_p δ̃[b, o, p] x̃[b, c, p]         the same for all offsets k of the kernel,
    dx[b, c, q] = Σ_o δ̃[b, o, patch of q] Σ_k W[o, c, k],

with x̃ the sum of x over the patch: of x, only that is kept, one number in place of P². With a
stride s an output's patch faces one of P s × P s pixels of the input, and both gradients are
divided by s². Here the average of x is kept, and δ summed, which is the same product.

It is *biased*, in the gradients of weights and in those of inputs, and so in every layer before.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xconv.saved.stand_in import wide
from xconv_bench.configuration import Configuration
from xconv_bench.methods.convolutions import FAMILY_KNOBS, Convolutions, Run
from xconv_bench.methods.smaller import NO_SMALLER


class GradientFilter(Convolutions):
    """Filters 2d convolutions that are centred; ``patch`` is the side of a patch in pixels."""

    name = "gradient-filter"
    knobs = ("patch", *FAMILY_KNOBS)
    dials: Mapping[str, Any] = {"patch": 2}
    bias = "biased, gradients of inputs too: what varies within a patch is lost"

    def why_not(self, module: Any) -> str:
        """Return why patches of input and output would not face each other, if so."""
        if not isinstance(module, nn.Conv2d):
            return f"{type(module).__name__} is no 2d convolution"
        return super().why_not(module) or _off_centre(module)

    def why_exact(self, module: Any, input: Tensor, configuration: Configuration) -> str:
        """Return a reason where patches of the input are single pixels."""
        patch = configuration.patch
        assert patch is not None
        if input.dim() != 4:
            return "an input without a batch: exact gradient"
        return NO_SMALLER if patch * max(module.stride) == 1 else ""

    def run(self, module: Any, exact: Run, input: Tensor, configuration: Configuration) -> Tensor:
        """Return torch's own output, with filtered gradients."""
        filtered: Tensor = FilteredConvolution.apply(
            input, module.weight, module.bias, exact, configuration.patch, module.stride,
            module.groups,
        )  # fmt: skip
        return filtered


class FilteredConvolution(torch.autograd.Function):
    """A convolution that keeps averages of patches of its input."""

    @staticmethod
    def forward(
        ctx: Any,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        exact: Run,
        patch: int,
        stride: tuple[int, int],
        groups: int,
    ) -> Tensor:
        """Return ``exact(input)``, of shape (batch, channels, height, width)."""
        ctx.save_for_backward(weight, _pooled(input, patch * stride[0], patch * stride[1]))
        ctx.shape, ctx.dtype = input.shape, input.dtype
        ctx.patch, ctx.stride, ctx.groups = patch, stride, groups
        return exact(input)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of input and weight from patches, and that of the bias, exact."""
        weight, averages = ctx.saved_tensors
        needs_input, needs_weight, needs_bias = ctx.needs_input_grad[:3]
        grad_input = grad_weight = grad_bias = None
        if needs_input:
            means = _in_groups(_pooled(grad_output, ctx.patch, ctx.patch), ctx.groups)
            grad_input = _input_gradient(means, weight, ctx)
        if needs_weight:
            sums = _pooled(grad_output, ctx.patch, ctx.patch, divisor=1)
            products = torch.einsum(
                "bgohw,bgchw->goc", _in_groups(sums, ctx.groups), _in_groups(averages, ctx.groups)
            )
            taps = products.reshape(*weight.shape[:2], 1, 1).to(weight.dtype)
            grad_weight = taps.expand_as(weight).contiguous()
        if needs_bias:
            grad_bias = grad_output.sum((0, 2, 3))
        return grad_input, grad_weight, grad_bias, None, None, None, None


def _input_gradient(means: Tensor, weight: Tensor, ctx: Any) -> Tensor:
    """Return the gradient of the input: the same in all pixels that face a patch."""
    taps = weight.sum((2, 3)).to(means.dtype).unflatten(0, (ctx.groups, -1))
    gradient = torch.einsum("bgohw,goc->bgchw", means, taps).flatten(1, 2)
    gradient = gradient.div_(prod(ctx.stride)).to(ctx.dtype)
    for dim, stride in ((2, ctx.stride[0]), (3, ctx.stride[1])):
        repeated = gradient.repeat_interleave(ctx.patch * stride, dim)
        gradient = repeated.narrow(dim, 0, ctx.shape[dim])
    return gradient


def _pooled(images: Tensor, height: int, width: int, divisor: int | None = None) -> Tensor:
    """Return averages of patches, or sums over ``divisor``; at the edges of the pixels there."""
    sides = min(height, images.shape[2]), min(width, images.shape[3])
    return F.avg_pool2d(
        images, sides, ceil_mode=True, count_include_pad=False, divisor_override=divisor
    )


def _in_groups(patches: Tensor, groups: int) -> Tensor:
    """Return ``patches`` as (batch, groups, channels of a group, height, width), float32 at least.

    Sums over many patches are wrong at half precision.
    """
    return patches.to(wide(patches.dtype)).unflatten(1, (groups, -1))


def _off_centre(module: nn.Conv2d) -> str:
    """Return why the middle of a kernel does not lie on the pixel that its output stands for."""
    for place, (size, dilation) in enumerate(zip(module.kernel_size, module.dilation, strict=True)):
        padding = module.padding if isinstance(module.padding, str) else module.padding[place]
        if size % 2 == 0:
            return "a kernel of even size has no middle"
        if padding != "same" and padding != dilation * (size // 2):
            return f"padding {padding} is not that of a centred kernel"
    return ""
