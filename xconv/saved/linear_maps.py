"""Derivatives of operators that turn an output gradient into an input gradient.

Each is linear in the gradient, its first argument; all other arguments are constant. The derivative
of one is therefore another of its kind, its transpose, and gradients of gradients are exact.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

_TENSOR = object()
"""Placeholder for a tensor that autograd saves."""


def transposes(one: Any, other: Callable[..., Tensor]) -> None:
    """Make ``other``, which takes the same arguments, the derivative of the operator ``one``.

    Several gradients at once, as in ``autograd.grad(is_grads_batched=True)``, are taken one by one.
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
    """Return a function that applies ``operator`` to several gradients of one output in turn."""

    def each(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> tuple[Tensor, int]:
        if in_dims[0] is None or any(dim is not None for dim in in_dims[1:]):
            raise RuntimeError("torch.vmap may batch the gradients of one output, but not outputs")
        gradients, *rest = args
        found = [operator(gradient, *rest) for gradient in gradients.movedim(in_dims[0], 0)]
        return torch.stack(found), 0

    return each
