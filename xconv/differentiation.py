"""Whether there will be a backward pass to keep anything for, and which part of it is asked for."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad


def is_exporting() -> bool:
    """Whether ``torch.export`` is at work. torch before 2.7 does not tell; export under
    ``no_grad`` there.

    Not ``torch.compiler.is_exporting``, which before torch 2.13 is true of every compilation.
    """
    return bool(getattr(torch.compiler, "_is_exporting_flag", False))


def is_traced() -> bool:
    """Whether this call is written down as a program of torch's operators, which runs forward:
    by ``torch.export``, ``torch.jit.trace`` or the ONNX exporter that is built on it."""
    return is_exporting() or torch.jit.is_tracing()


def is_transformed() -> bool:
    """Whether a transform of ``torch.func`` or a forward-mode derivative is at work: these need
    formulas for every direction, which torch's own operators have and a sketch cannot have."""
    return torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0


def is_recording() -> bool:
    """Whether autograd records what follows, in a way in which less than all can be kept."""
    return torch.is_grad_enabled() and not is_traced() and not is_transformed()


def is_differentiated(*tensors: Tensor | None) -> bool:
    """Whether autograd follows any of these, in such a way."""
    return is_recording() and any(t is not None and t.requires_grad for t in tensors)


def may_run_again() -> bool:
    """Whether this is the inside of an autograd function's forward pass: that of a reentrant
    checkpoint, or of a reversible block, which runs again with gradients.

    Only there, and under ``inference_mode``, are derivatives off in both directions.
    A compiler cannot ask.
    """
    return not (
        torch.compiler.is_compiling()
        or torch.is_grad_enabled()
        or forward_ad._is_fwd_grad_enabled()
        or torch.is_inference_mode_enabled()
    )


def needed(ctx: Any, count: int) -> list[bool]:
    """Return for each of the first ``count`` inputs of an autograd function, each a tensor or None,
    whether the backward pass that is running needs its gradient.

    ``ctx.needs_input_grad`` tells which inputs require one. ``autograd.grad(loss, x)`` and
    ``backward(inputs=[x])`` ask for some of these only, which the engine knows.
    """
    needs: list[bool] = list(ctx.needs_input_grad[:count])
    if torch.compiler.is_compiling():
        return needs
    nodes = [node for node, _ in ctx.next_functions]  # one for each input that is a tensor
    return [need and _is_asked_for(nodes[i]) for i, need in enumerate(needs)]


def _is_asked_for(node: Any) -> bool:
    """Whether the engine is going to use a gradient that is handed on to ``node``."""
    try:
        return torch._C._will_engine_execute_node(node)
    except RuntimeError:  # a leaf that autograd.grad was asked for, or an engine that cannot tell
        return True


def refuse_batched(grad_output: Tensor) -> None:
    """Raise RuntimeError if ``grad_output`` stands for several: ``is_grads_batched=True``, or
    ``torch.vmap`` over a backward pass. Random numbers cannot be drawn for several at once."""
    if torch.compiler.is_compiling():
        return
    functorch = torch._C._functorch
    if functorch.is_batchedtensor(grad_output) or functorch.is_legacy_batchedtensor(grad_output):
        raise RuntimeError(
            "an estimated weight gradient is found for one output gradient at a time; ask for each "
            "with a call of its own, or for the input's gradient only, or leave this layer exact"
        )
