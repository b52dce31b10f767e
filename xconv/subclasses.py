"""Inputs of a class derived from ``torch.Tensor``, such as MONAI's, that carries more than numbers.

torch's functions leave it to such a class how they are called and what is returned, through
``__torch_function__``; whatever they call in turn sees plain numbers. So do ours.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor


def of_any_class(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``function`` so that the class of its input is asked as torch would ask it.

    Its arguments are a module, the input of that module, and others.
    """

    def plainly(module: Any, input: Tensor, *others: Any) -> Any:
        return function(module, input.as_subclass(Tensor), *others)  # its methods may differ, too

    @wraps(function)
    def call(module: Any, input: Any, *others: Any) -> Any:
        kind = type(input)
        if kind is Tensor or torch.compiler.is_compiling() or not _is_asked(input):
            return function(module, input, *others)
        return kind.__torch_function__(plainly, (kind,), (module, input, *others), {})

    return call


def _is_asked(input: Any) -> bool:
    """Return whether torch asks the class of ``input``; not that of parameters, for example."""
    asked = getattr(type(input), "__torch_function__", None)
    return isinstance(input, Tensor) and asked is not torch._C._disabled_torch_function_impl
