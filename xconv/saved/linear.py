"""Linear layers over many rows, whose weight gradient is that of a convolution by a 1×1 kernel.

For rows x and output gradients δ, dW = Σ δ xᵀ is linear in x, so any x̂ with mean x gives an
unbiased estimate. x is kept in a few bits per number (``xconv.grouped``), which assumes nothing
about the order of rows: tokens, unlike pixels, need not be smooth. Input and bias gradients are
exact.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from xconv import autocast, compiled
from xconv.differentiation import (
    TRANSFORMED,
    is_recording,
    is_traced,
    is_transformed,
    may_run_again,
    needed,
    refuse_batched,
)
from xconv.grouped import BITS
from xconv.layout import Layout
from xconv.probing import Probing, keep, strided_as
from xconv.quantization import PassedOver
from xconv.random import draw_seed, takes_seed
from xconv.schemes.quantized import Quantized
from xconv.schemes.scheme import NO_SMALLER
from xconv.state import State, set_state, state_of
from xconv.subclasses import of_any_class
from xconv.symbolic import as_leaf
from xconv.watching import is_watched

FEW_ROWS = "its input is no larger than its weight: exact gradient"
"""Reason why a call keeps its input: it would save less than the weight gradient takes."""

_SCHEME = Quantized()


def rows_probing(probing: Probing) -> Probing:
    """Return how a linear layer keeps its input where convolutions use ``probing``.

    The bits are those of ``"quantized"``. For ``"spectral"`` they are the same number of bits in
    whole bits, at least 2; for other schemes, the default of ``"quantized"``. An exact probing
    stays exact. In a Swin-T that had trained for a few steps, the errors of 1, 2 and 4 bits had
    0.74, 0.083 and 0.0033 of the energy of the gradient of all weights, and the noise of its batch
    had 0.62: one bit has to be asked for.
    """
    if probing.is_exact or probing.scheme == _SCHEME.name:
        return probing
    least = max(_SCHEME.default, probing.bits or 0)
    return Probing(scheme=_SCHEME.name, bits=next(b for b in BITS if b >= least))


class XLinear(PassedOver, nn.Linear):
    """``torch.nn.Linear`` that keeps its input in ``bits`` bits per number, if it has many rows.

    Takes the arguments of ``torch.nn.Linear``, and ``bits`` by name: 1, 2, 4 or 8. Raises
    ValueError for others. Input (..., in_features), any floating dtype. Outputs, input and bias
    gradients are exact; the weight gradient is unbiased.

    >>> layer = XLinear(16, 8, bits=2)
    >>> layer(torch.zeros(4, 100, 16)).shape
    torch.Size([4, 100, 8])
    """

    def __init__(self, *args: Any, bits: int = Quantized.default, **kwargs: Any) -> None:
        state = State(Probing(scheme=_SCHEME.name, bits=bits))
        super().__init__(*args, **kwargs)
        set_state(self, state)

    def extra_repr(self) -> str:
        """Return torch's description, followed by how the weight gradient is found."""
        words, state = [super().extra_repr()], state_of(self)
        if state is not None and state.probing is not None:
            words.append("{}={:g}".format(*state.probing.dial))
            if state.falls_back:
                words.append("falls back to the exact gradient")
        return ", ".join(words)

    def forward(self, input: Tensor) -> Tensor:
        """Apply the layer; shapes, dtypes and errors are torch's."""
        if torch.jit.is_scripting():
            return F.linear(input, self.weight, self.bias)
        else:  # TorchScript does not compile this branch
            return _linear(self, input)


@of_any_class
def _linear(module: Any, input: Any) -> Any:
    if isinstance(input, fx.Proxy):
        return as_leaf(module, input)
    return linear(input, module.weight, module.bias, module._xconv)


def linear(input: Tensor, weight: Tensor, bias: Tensor | None, state: State) -> Tensor:
    """Apply ``torch.nn.functional.linear`` and keep of ``input`` what ``state`` says.

    The reason for an exact gradient, or an empty text, is written to ``state.falls_back``.
    """
    probing = state.probing
    if probing is None or probing.is_exact or is_traced() or not _fits(input, weight):
        return F.linear(input, weight, bias)
    recording = is_recording()
    takes = takes_seed(weight) and (recording or may_run_again())
    reason = _why_exact(input, weight, state) if takes else NO_SMALLER
    seed = draw_seed() if takes and not reason else None
    if recording and weight.requires_grad:
        state.falls_back = reason
    elif torch.is_grad_enabled() and is_transformed():
        state.falls_back = TRANSFORMED
    if not (recording and weight.requires_grad) or seed is None:
        return F.linear(input, weight, bias)
    output: Tensor = _Linear.apply(autocast.cast(input), weight, bias, seed, probing)
    return output


def _fits(input: Tensor, weight: Tensor) -> bool:
    """Return whether torch accepts ``input``; if not, torch is left to refuse it."""
    is_row = input.dim() > 0 and input.shape[-1] == weight.shape[-1]
    return is_row and input.is_floating_point()


def _why_exact(input: Tensor, weight: Tensor, state: State) -> str:
    """Return the reason to keep ``input`` itself, or an empty text."""
    return FEW_ROWS if input.numel() <= weight.numel() else state.why_exact(input)


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        seed: Tensor,
        probing: Probing,
    ) -> Tensor:
        bias = None if bias is None else autocast.cast(bias)
        output = F.linear(input, autocast.cast(weight), bias)
        rows = input.reshape(-1, input.shape[-1])
        keep_input = compiled.keep if is_watched() else keep
        kept = keep_input(
            rows, seed, probing, Layout.of(rows), weight.shape, torch.Size((*rows.shape[:1], 1))
        )
        ctx.probing, ctx.shape, ctx.dtype = probing, input.shape, input.dtype
        ctx.save_for_backward(weight, *kept)
        return output

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        """Return gradients, built of differentiable operations except for the weight gradient."""
        weight, *kept = ctx.saved_tensors
        needs_input, needs_weight, needs_bias = needed(ctx, 3)
        grad_input = grad_weight = grad_bias = None
        with autocast.switched_off(grad_output.device.type):
            rows = grad_output.reshape(-1, weight.shape[0])
            if needs_bias:
                grad_bias = rows.sum(0)
            if needs_weight:
                refuse_batched(grad_output)
                whole = is_watched() or torch.is_grad_enabled()
                estimate = linear_gradient if whole else estimate_linear
                grad_weight = estimate(kept, rows, weight, ctx.dtype, ctx.probing.bits)
            if needs_input:
                grad_input = (rows @ weight.to(ctx.dtype)).view(ctx.shape)
        return grad_input, grad_weight, grad_bias, None, None


def estimate_linear(
    kept: Sequence[Tensor], rows: Tensor, weight: Tensor, dtype: torch.dtype, bits: float
) -> Tensor:
    """Return the weight gradient, in the memory order of ``weight``.

    ``rows`` (rows, outputs) are output gradients; ``dtype`` is that of the input that was kept.
    """
    seed, *stored = kept
    probing = Probing(scheme=_SCHEME.name, bits=bits)
    layout = Layout(torch.Size((len(rows), weight.shape[1])), dtype, rows.device)
    total = torch.zeros(weight.shape, dtype=torch.promote_types(dtype, torch.float32),
                        device=rows.device)  # fmt: skip
    for some, rebuilt in _SCHEME.rebuild(stored, seed, probing, layout):
        total += rows[some].t() @ rebuilt
        del rebuilt
    total.mul_(_SCHEME.factor(probing, layout))
    return strided_as(total.to(weight.dtype), weight)


@torch.library.custom_op("xconv::linear_gradient", mutates_args=())
def linear_gradient(
    kept: Sequence[Tensor], rows: Tensor, weight: Tensor, dtype: torch.dtype, bits: float
) -> Tensor:
    """Run ``estimate_linear`` as one operator, whose derivative raises RuntimeError."""
    return estimate_linear(kept, rows, weight, dtype, bits)


@linear_gradient.register_fake
def _(
    kept: Sequence[Tensor], rows: Tensor, weight: Tensor, dtype: torch.dtype, bits: float
) -> Tensor:
    return torch.empty_like(weight)


linear_gradient.register_autograd(compiled.refuse_derivative)
