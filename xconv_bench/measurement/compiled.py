"""Whether ``torch.compile`` had a hand in a network: its kernels allocate past those who count."""

from __future__ import annotations

import sys

from torch import nn

from xconv.contents import modules


def is_compiled(model: nn.Module) -> bool:
    """Return whether a network went through ``torch.compile``, or a module of it did."""
    # A network that is compiled has imported it; others need not wait for that.
    frames = sys.modules.get("torch._dynamo.eval_frame")
    return any(
        (frames is not None and isinstance(module, frames.OptimizedModule))
        or getattr(module, "_compiled_call_impl", None) is not None
        for module in modules(model)
    )


def has_compiled() -> bool:
    """Return whether ``torch.compile`` has compiled anything in this process."""
    utilities = sys.modules.get("torch._dynamo.utils")
    return utilities is not None and bool(utilities.counters["stats"]["unique_graphs"])
