"""A cache for functions that create tensors, and the use of cached tensors in simulations."""

import weakref
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor
from torch._guards import TracingContext, detect_fake_mode
from torch.utils._python_dispatch import _disable_current_modes

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_TABLES: dict[int, weakref.ref[torch.UntypedStorage]] = {}
"""The storages of cached tensors, and of those that stand for them in simulations."""


def cached(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Return ``function`` with a cache of results that no active mode can affect.

    Under the mode of a simulation, the cache would hold tensors without contents and return them
    ever after; in inference mode, it would hold tensors that no graph may save.
    """

    @lru_cache(maxsize=1024)
    @wraps(function)
    def computed(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        with _disable_current_modes(), torch.inference_mode(False), torch.no_grad():
            result = function(*args, **kwargs)
        return _remembered(result) if isinstance(result, Tensor) else result  # type: ignore

    @wraps(function)
    def called(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        result: Any = computed(*args, **kwargs)  # type: ignore[arg-type]
        own: Any = simulated(result) if isinstance(result, Tensor) else result
        return own if own is result else _remembered(own)  # type: ignore

    return called


def simulated(tensor: Tensor) -> Tensor:
    """Return ``tensor``, or a tensor without contents in its place inside a simulation."""
    if not torch._C._len_torch_dispatch_stack() and TracingContext.try_get() is None:
        return tensor  # the answer of nearly all calls, found sooner
    mode = detect_fake_mode()
    return tensor if mode is None else mode.from_tensor(tensor)


def is_table(storage: torch.UntypedStorage) -> bool:
    """Return whether ``storage`` is that of a cached tensor.

    It lives on, whatever a step does, and takes a few kilobytes for all layers together.
    """
    return storage._cdata in _TABLES


def _remembered(tensor: Tensor) -> Tensor:
    storage = tensor.untyped_storage()
    key = storage._cdata
    _TABLES[key] = weakref.ref(storage, lambda _: _TABLES.pop(key, None))
    return tensor
