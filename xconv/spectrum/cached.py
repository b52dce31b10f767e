"""A cache for functions that return tensors of their own making, and their use in simulations."""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor
from torch._guards import detect_fake_mode
from torch.utils._python_dispatch import _disable_current_modes

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def cached(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Return ``function`` with a cache that whoever looks on does not get into.

    Under a mode such as a simulation's, tensors would be made that have no contents and that the
    cache would hand out ever after; in inference mode, such as no graph may hold.
    """

    @lru_cache(maxsize=1024)
    @wraps(function)
    def computed(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        with _disable_current_modes(), torch.inference_mode(False), torch.no_grad():
            return function(*args, **kwargs)

    @wraps(function)
    def called(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        result: Any = computed(*args, **kwargs)  # type: ignore[arg-type]
        return simulated(result) if isinstance(result, Tensor) else result  # type: ignore

    return called


def simulated(tensor: Tensor) -> Tensor:
    """Return ``tensor``, without contents where a simulation is at work, which takes no others."""
    mode = detect_fake_mode()
    return tensor if mode is None else mode.from_tensor(tensor)
