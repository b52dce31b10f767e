"""Convolutions that store something smaller in place of their input, and rebuild an input from it.

The weight gradient ``dW = Σ_b x_b ⋆ δ_b`` is linear in the input x. Any random ``x̂_b`` with
``E[x̂_b] = x_b`` in its place leaves it unbiased; a method is a way to store x̂. Forward pass and
input gradient stay exact.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from xconv import BitReLU, convert
from xconv.contents import modules
from xconv.convert import FAMILIES, why_not
from xconv.derived import derive
from xconv.differentiation import is_differentiated
from xconv.geometry import Geometry, resolve_padding
from xconv.layout import Layout
from xconv.random import draw_seed
from xconv_bench.configuration import Configuration
from xconv_bench.errors import Unsupported
from xconv_bench.methods.base import Method
from xconv_bench.methods.remarks import left_exact

_TOO_LARGE = "what is stored would be no smaller than the input: exact gradient"
_TRANSPOSED = "transposed convolution"


class InputStore(ABC):
    """One way to store an input (batch, channels, *pixels)."""

    @abstractmethod
    def stored_bytes(self, input: Tensor) -> int:
        """Of what ``store`` returns."""

    @abstractmethod
    def store(self, input: Tensor, seed: Tensor) -> tuple[Tensor, ...]:
        """What is kept in place of ``input``; what is random in it follows from ``seed``."""

    @abstractmethod
    def rebuild(self, stored: tuple[Tensor, ...], seed: Tensor, layout: Layout) -> Tensor:
        """x̂ with the shape and dtype of ``layout``, of mean x over seeds."""


class StoredInputMethod(Method):
    """Swaps convolutions for ones with an ``InputStore``, and ReLUs for those of one bit."""

    def settle(self, knobs: Mapping[str, Any]) -> dict[str, Any]:
        """Nothing on how inputs are stored where no convolution is swapped."""
        if "conv" in knobs["compress"].split(","):
            return dict(knobs)
        return {**dict.fromkeys(knobs), "compress": knobs["compress"]}

    def apply(self, model: nn.Module, configuration: Configuration) -> nn.Module:
        """The model, changed in place; Unsupported where there is nothing to swap."""
        families = _families(configuration)
        swapped = 0
        if "relu" in families:
            convert(model, probes=0, compress=["relu"])
            swapped += sum(isinstance(module, BitReLU) for module in modules(model))
        if "conv" in families:
            swapped += _swap(model, self.input_store(configuration))
        if not swapped:
            raise Unsupported(
                f"{configuration.model} has no module that {self.name} can swap; it compresses "
                f"{' and '.join(families)} modules"
            )
        return model

    def remark(self, model: nn.Module, configuration: Configuration) -> str:
        """Which of the modules that were to be compressed are not, and why."""
        return "; ".join(
            words
            for family in _families(configuration)
            if (words := left_exact(family, _reasons(model, family)))
        )

    @abstractmethod
    def input_store(self, configuration: Configuration) -> InputStore:
        """How inputs are stored."""


class _StoresInput:
    """What the swapped layers add to torch's."""

    store: InputStore
    falls_back = False
    """Whether the last call kept its input, because what is stored would be no smaller."""

    def _conv_forward(self: Any, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        needed = is_differentiated(input, weight, bias) and weight.requires_grad
        is_batched = input.dim() == weight.dim()
        if needed:
            size = input.numel() * input.element_size()
            self.falls_back = not is_batched or self.store.stored_bytes(input) >= size
        if not needed or self.falls_back:
            output: Tensor = super()._conv_forward(input, weight, bias)  # type: ignore[misc]
            return output
        padding = self.padding if isinstance(self.padding, str) else tuple(self.padding)
        amount, border, mode = resolve_padding(
            padding, self.padding_mode, self.kernel_size, self.dilation
        )
        geometry = Geometry(
            self.stride, amount, self.dilation, self.groups, border=border, border_mode=mode
        )
        output = _Convolution.apply(input, weight, bias, draw_seed(), geometry, self.store)
        return output


class StoredInputConv1d(_StoresInput, nn.Conv1d):
    """``torch.nn.Conv1d`` with an ``InputStore``."""


class StoredInputConv2d(_StoresInput, nn.Conv2d):
    """``torch.nn.Conv2d`` with an ``InputStore``."""


class StoredInputConv3d(_StoresInput, nn.Conv3d):
    """``torch.nn.Conv3d`` with an ``InputStore``."""


_OURS: dict[type[nn.Module], type[nn.Module]] = {
    nn.Conv1d: StoredInputConv1d,
    nn.Conv2d: StoredInputConv2d,
    nn.Conv3d: StoredInputConv3d,
}


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        seed: Tensor,
        geometry: Geometry,
        store: InputStore,
    ) -> Tensor:
        ctx.geometry, ctx.store, ctx.layout = geometry, store, Layout.of(input)
        ctx.save_for_backward(weight, seed, *store.store(input, seed))
        return geometry.convolve(input, weight, bias)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        weight, seed, *stored = ctx.saved_tensors
        grad_input = grad_weight = grad_bias = None
        if ctx.needs_input_grad[2]:
            grad_bias = grad_output.sum((0, *range(2, grad_output.dim())))
        if ctx.needs_input_grad[1]:
            rebuilt = ctx.store.rebuild(tuple(stored), seed, ctx.layout)
            grad_weight = ctx.geometry.weight_gradient(grad_output, rebuilt, weight)
            del rebuilt  # before the input gradient needs as much
        if ctx.needs_input_grad[0]:
            grad_input = ctx.geometry.input_gradient(grad_output, weight, ctx.layout.shape)
        return grad_input, grad_weight, grad_bias, None, None, None


def _swap(model: nn.Module, store: InputStore) -> int:
    """Swap what can be swapped; how many there were."""
    count = 0
    for module in modules(model):
        base = next((base for base in _OURS if isinstance(module, base)), None)
        if base is not None and why_not(module) is None:
            module.__class__ = derive(_OURS[base], type(module))
            module.store = store  # type: ignore[assignment]
            count += 1
    return count


def _reasons(model: nn.Module, family: str) -> list[str | None]:
    """For each module of a family why it is exact, None where it is not."""
    kinds = tuple(FAMILIES[family])
    return [_reason(module) for module in modules(model) if isinstance(module, kinds)]


def _reason(module: nn.Module) -> str | None:
    if isinstance(module, _StoresInput):
        return _TOO_LARGE if module.falls_back else None
    if isinstance(module, BitReLU):
        return None
    return why_not(module) or _TRANSPOSED


def _families(configuration: Configuration) -> list[str]:
    return configuration.compress.split(",") if configuration.compress else []
