"""The function that runs when a module is called: ``forward``, or a ``__call__`` of its class."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn

Function = Callable[..., Any]


def wrap_call(module: nn.Module, wrap: Callable[[Function], Function]) -> None:
    """Let ``wrap`` of what a call of ``module`` runs run in its place.

    A class with a ``__call__`` of its own may pass ``forward`` by: such a module gets a class
    derived from it.
    """
    kind = type(module)
    if kind.__call__ is nn.Module.__call__:
        module.forward = wrap(module.forward)
        return
    wrapped = wrap(partial(kind.__call__, module))

    def call(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        return wrapped(*args, **kwargs)

    names = {"__module__": kind.__module__, "__call__": call}
    module.__class__ = type(kind.__name__, (kind,), names)
