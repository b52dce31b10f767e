"""Questions about the call in progress: will a backward pass follow, and what will it need?"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

TRANSFORMED = "torch.func and forward-mode derivatives: exact gradient"
"""Reason why a call under a transform or a forward-mode derivative keeps its input."""


def is_exporting() -> bool:
    """Return whether ``torch.export`` is tracing.

    Before torch 2.7 there is no way to tell, so export under ``no_grad`` there.
    ``torch.compiler.is_exporting`` is no substitute: before torch 2.13 it returns True in every
    compilation.
    """
    return bool(getattr(torch.compiler, "_is_exporting_flag", False))


def is_traced() -> bool:
    """Return whether this call is recorded as a program that only runs forward.

    ``torch.export``, ``torch.jit.trace`` and the ONNX exporter built on it record such programs of
    torch's operators.
    """
    return is_exporting() or torch.jit.is_tracing()


def is_transformed() -> bool:
    """Return whether a transform of ``torch.func`` or a forward-mode derivative is active.

    These need a derivative formula for every direction, which torch's operators have and a sketch
    cannot have.
    """
    return torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0


def is_recording() -> bool:
    """Return whether autograd records this call and allows keeping less than torch does."""
    return torch.is_grad_enabled() and not is_traced() and not is_transformed()


def is_differentiated(*tensors: Tensor | None) -> bool:
    """Return whether autograd records this call and any of ``tensors`` requires a gradient."""
    return is_recording() and any(t is not None and t.requires_grad for t in tensors)


def may_run_again() -> bool:
    """Return whether this call is inside the forward pass of another autograd function.

    Reentrant checkpoints and reversible blocks run such a call again later, with gradients. Only
    there, and under ``inference_mode``, are both backward-mode and forward-mode derivatives off.
    The answer is False during compilation, where it cannot be found out.
    """
    return not (
        torch.compiler.is_compiling()
        or torch.is_grad_enabled()
        or forward_ad._is_fwd_grad_enabled()
        or torch.is_inference_mode_enabled()
    )


def needed(ctx: Any, count: int) -> list[bool]:
    """Return which of the first ``count`` inputs of an autograd function need a gradient now.

    Each of these inputs is a tensor or None. ``ctx.needs_input_grad`` tells which inputs require a
    gradient; ``autograd.grad(loss, x)`` and ``backward(inputs=[x])`` ask for only some of these,
    which the engine knows.
    """
    needs: list[bool] = list(ctx.needs_input_grad[:count])
    if torch.compiler.is_compiling():
        return needs
    nodes = [node for node, _ in ctx.next_functions]  # one node for each input that is a tensor
    return [need and _is_asked_for(nodes[i]) for i, need in enumerate(needs)]


def _is_asked_for(node: Any) -> bool:
    """Return whether the running backward pass will use a gradient handed on to ``node``."""
    try:
        return torch._C._will_engine_execute_node(node)
    except RuntimeError:  # for leaves of autograd.grad, and engines that cannot tell
        return True


def refuse_batched(grad_output: Tensor) -> None:
    """Raise RuntimeError if ``grad_output`` is a batch of several output gradients.

    ``is_grads_batched=True``, and ``torch.vmap`` over a backward pass, make such batches. Random
    numbers cannot be drawn for several gradients at once.
    """
    if torch.compiler.is_compiling():
        return
    functorch = torch._C._functorch
    if functorch.is_batchedtensor(grad_output) or functorch.is_legacy_batchedtensor(grad_output):
        raise RuntimeError(
            "a weight gradient is estimated for one output gradient at a time; ask for each in a "
            "call of its own, or for the input's gradient only, or leave this layer exact"
        )
