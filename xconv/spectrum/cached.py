"""A cache for functions that return tensors of their own making."""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

import torch
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

    return computed  # type: ignore[return-value]
