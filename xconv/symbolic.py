"""Support for ``torch.fx.symbolic_trace`` and the feature extractors built on it."""

from typing import Any

from torch import fx, nn


def as_leaf(module: nn.Module, *inputs: Any) -> fx.Proxy:
    """Return the proxy of one call of ``module``, as a tracer makes it for torch's own layers.

    A traced network calls the layer itself, which keeps its compressed input as before.
    """
    tracer: Any = next(value for value in inputs if isinstance(value, fx.Proxy)).tracer
    return tracer.create_proxy("call_module", tracer.path_of_module(module), inputs, {})
