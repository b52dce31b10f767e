"""A convolution that is probed wrongly: probes are rolled over the flattened image.

First releases of the published layer did so: rows run into one another at the borders, and the
weight gradient is biased. For kernels of odd size, stride 1 and "same" padding.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xconv_bench.configuration import Configuration
from xconv_bench.methods.base import Method


class Rolled(Method):
    """Every convolution probed with the scheme "independent", and rolled."""

    name = "rolled"
    knobs = ("probes",)

    def apply(self, model: nn.Module, configuration: Configuration) -> nn.Module:
        for module in model.modules():
            if isinstance(module, nn.Conv2d):
                module.__class__ = _RolledConv2d
                module.probes = configuration.probes
        return model


class _RolledConv2d(nn.Conv2d):
    probes: int

    def forward(self, input: Tensor) -> Tensor:
        return _Convolution.apply(input, self.weight, self.bias, self.padding, self.probes)


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, input: Tensor, weight: Tensor, bias: Tensor, padding: Any, probes: int
    ) -> Tensor:
        pixels = input[0, 0].numel()
        generator = torch.Generator().manual_seed(int(torch.randint(2**31, ())))
        z = torch.randint(2, (pixels, probes), generator=generator).to(input) * 2 - 1
        estimate = (input.flatten(2) @ z @ z.t() / probes).view_as(input)
        ctx.save_for_backward(estimate, weight)
        ctx.padding = padding
        return F.conv2d(input, weight, bias, padding=padding)

    @staticmethod
    def backward(ctx: Any, delta: Tensor) -> tuple[Tensor | None, ...]:
        estimate, weight = ctx.saved_tensors
        grad_input = torch.nn.grad.conv2d_input(estimate.shape, weight, delta, padding=ctx.padding)
        return (
            grad_input,
            rolled_gradient(estimate, delta, weight),
            delta.sum((0, 2, 3)),
            None,
            None,
        )


def rolled_gradient(input: Tensor, delta: Tensor, weight: Tensor) -> Tensor:
    """The weight gradient of ``input``, shifted in the flattened image."""
    width, reach = input.shape[-1], weight.shape[-1] // 2
    flat_input, flat_delta = input.flatten(2), delta.flatten(2)
    steps = range(-reach, reach + 1)
    offsets = [dy * width + dx for dy in steps for dx in steps]
    taps = [
        torch.einsum("bcp,bop->oc", flat_input.roll(-offset, 2), flat_delta) for offset in offsets
    ]
    return torch.stack(taps, -1).view_as(weight)
