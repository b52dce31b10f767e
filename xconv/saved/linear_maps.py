"""Derivatives of the operators that turn an output gradient into an input gradient.

Each is linear in the gradient, its first argument; whatever else it takes is constant. So the
derivative of one is another of its kind, its transpose, and gradients of gradients are exact.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

_TENSOR = object()
"""Stands where a tensor was that autograd keeps."""


def transposes(one: Any, other: Callable[..., Tensor]) -> None:
    """Let the derivative of the operator ``one`` be ``other``, which takes the same arguments.

    Several gradients at once, as ``autograd.grad(is_grads_batched=True)`` has them, go one by one.
    """

    def keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _, *rest = inputs
        ctx.rest = [_TENSOR if isinstance(value, Tensor) else value for value in rest]
        ctx.save_for_backward(*(value for value in rest if isinstance(value, Tensor)))

    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        tensors = iter(ctx.saved_tensors)
        rest = [next(tensors) if value is _TENSOR else value for value in ctx.rest]
        return other(gradient, *rest), *(None for _ in rest)

    one.register_autograd(backward, setup_context=keep)
    one.register_vmap(several(one))


def several(operator: Callable[..., Tensor]) -> Callable[..., tuple[Tensor, int]]:
    """Return how ``operator`` takes several gradients of one output: one by one."""

    def each(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> tuple[Tensor, int]:
        if in_dims[0] is None or any(dim is not None for dim in in_dims[1:]):
            raise RuntimeError("several gradients of one output are taken, not several outputs")
        gradients, *rest = args
        found = [operator(gradient, *rest) for gradient in gradients.movedim(in_dims[0], 0)]
        return torch.stack(found), 0

    return each
