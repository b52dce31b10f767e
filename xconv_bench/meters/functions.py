"""Functions that a network calls in its forward pass, such as ``F.relu``, and that keep tensors."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any, Self

from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from xconv.kept import KeptMeter
from xconv.saved.function_table import FAMILY
from xconv.saved.functions import is_foreign

_OF_CALLS = ("torch.overrides", "torch.nn.functional", "torch._jit_internal", "torch._tensor")
"""Python modules of torch between a call of a function and those who are told of it."""


class FunctionMeter(TorchFunctionMode):
    """Notice the functions for which autograd saves something, while ``model`` runs.

    ``kept`` counts what is saved, entered before or after this. Calls by torch's own modules, such
    as ``torch.nn.ReLU``, are none: these modules are swapped themselves.
    """

    def __init__(self, model: nn.Module, kept: KeptMeter) -> None:
        super().__init__()
        self.families: dict[str, str] = {}
        """Family of each function that was noticed, by its name: ``{"relu": "relu"}``."""
        self._model, self._kept = model, kept
        self._depth = 0
        self._handles: list[RemovableHandle] = []

    def __enter__(self) -> Self:
        def enters(*_: Any) -> None:
            self._depth += 1

        def leaves(*_: Any) -> None:
            self._depth -= 1

        self._handles = [
            nn.Module.register_forward_pre_hook(self._model, enters),
            nn.Module.register_forward_hook(self._model, leaves, always_call=True),
        ]
        super().__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        super().__exit__(*exception)
        for handle in self._handles:
            handle.remove()

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if not self._depth or func not in FAMILY or not _is_called_by_a_network(sys._getframe(1)):
            return func(*args, **kwargs)
        before = len(self._kept.tensors())
        result = func(*args, **kwargs)
        if len(self._kept.tensors()) > before:
            self.families[func.__name__.rstrip("_")] = FAMILY[func]
        return result


def _is_called_by_a_network(caller: FrameType | None) -> bool:
    """Return whether the code that called a function can be a forward pass that is reached."""
    while caller is not None and caller.f_globals.get("__name__") in _OF_CALLS:
        caller = caller.f_back
    return caller is not None and is_foreign(caller.f_globals.get("__name__") or "")
