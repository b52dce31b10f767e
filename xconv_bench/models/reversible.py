"""Reversible blocks: their inputs follow from their outputs, so that none has to be kept.

Source: Gomez et al., "The Reversible Residual Network: Backpropagation Without Storing
Activations", NeurIPS 2017, arXiv 1707.04585, section 3.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from xconv.contents import modules
from xconv_bench.models.running_statistics import not_updated


class Coupling(nn.Module):
    """Additive coupling, ``y₁ = x₁ + F(x₂), y₂ = x₂ + G(y₁)``, whatever F and G are.

    Its inverse is ``x₂ = y₂ - G(y₁), x₁ = y₁ - F(x₂)``. F and G keep the shape.
    """

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x1: Tensor, x2: Tensor) -> tuple[Tensor, Tensor]:
        """Map two halves to two halves."""
        y1 = x1 + self.first(x2)
        return y1, x2 + self.second(y1)


class ReversibleSequence(nn.ModuleList):
    """Couplings one after the other: (batch, 2·C, *pixels) to the same shape, C channels a half.

    With ``inverts`` it keeps its output alone, and computes the inputs of its couplings from it
    in backward; without, autograd keeps what it always keeps. Gradients are the same to rounding.
    """

    def __init__(self, couplings: Sequence[Coupling]) -> None:
        super().__init__(couplings)
        self.inverts = False

    def forward(self, features: Tensor) -> Tensor:
        """Run the input through all couplings."""
        if self.inverts and torch.is_grad_enabled():
            parameters = list(self.parameters())
            output: Tensor = _Inverted.apply(features, self, *parameters)
            return output
        return self.run(features)

    def run(self, features: Tensor) -> Tensor:
        """Run the input without inverting anything."""
        x1, x2 = features.chunk(2, dim=1)
        for coupling in self:
            x1, x2 = coupling(x1, x2)
        return torch.cat([x1, x2], dim=1)


class _Inverted(torch.autograd.Function):
    """The whole sequence as one function of its input and its parameters."""

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, sequence: ReversibleSequence, *parameters: Tensor
    ) -> Tensor:
        output = sequence.run(features)
        ctx.sequence = sequence
        ctx.save_for_backward(output)
        return output

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        sequence: ReversibleSequence = ctx.sequence
        (output,) = ctx.saved_tensors
        halves = (*output.chunk(2, dim=1), *grad_output.chunk(2, dim=1))
        del output, grad_output
        gradients: dict[Tensor, Tensor] = {}
        with not_updated(sequence):
            for coupling in reversed(list(sequence)):
                assert isinstance(coupling, Coupling)
                halves, found = _invert(coupling, *halves)
                gradients |= found
        needed = iter(ctx.needs_input_grad[2:])
        return (
            torch.cat(halves[2:], dim=1),
            None,
            *(gradients.get(p) if next(needed) else None for p in sequence.parameters()),
        )


Halves = tuple[Tensor, Tensor, Tensor, Tensor]
"""Two halves of the features, and the gradients of both."""


def _invert(
    coupling: Coupling, y1: Tensor, y2: Tensor, dy1: Tensor, dy2: Tensor
) -> tuple[Halves, dict[Tensor, Tensor]]:
    """Return the inputs of a coupling, their gradients, and the gradients of its parameters.

    The order of computing is algorithm 1 of the paper.
    """
    subtracted, gradient, second = _differentiate(coupling.second, y1, dy2)
    x2 = y2 - subtracted
    dx1 = dy1 + gradient
    subtracted, gradient, first = _differentiate(coupling.first, x2, dx1)
    return (y1 - subtracted, x2, dx1, dy2 + gradient), first | second


def _differentiate(
    function: nn.Module, input: Tensor, grad_output: Tensor
) -> tuple[Tensor, Tensor, dict[Tensor, Tensor]]:
    """Return output, gradient of the input and gradients of the parameters."""
    parameters = [p for p in function.parameters() if p.requires_grad]
    with torch.enable_grad():
        input = input.detach().requires_grad_()
        output = function(input)
    gradient, *others = torch.autograd.grad(output, [input, *parameters], grad_output)
    return output.detach(), gradient, dict(zip(parameters, others, strict=True))


def reversible_sequences(model: nn.Module) -> Iterator[ReversibleSequence]:
    """Return all reversible sequences in a model."""
    return (module for module in modules(model) if isinstance(module, ReversibleSequence))
