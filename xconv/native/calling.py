"""Calls of C functions with tensors, integers and floating-point numbers.

Every function takes pointers, ``int64_t`` and ``double``, and returns nothing. Python's lock is
released meanwhile.
"""

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

_PLAIN = {int, float, bool, type(None)}
"""Types that C gets as they are; asking whether a number is a tensor takes four times as long."""


class Library:
    """A library of C functions, loaded from a file. Raises OSError if that is none."""

    def __init__(self, path: Path) -> None:
        self._library = ctypes.CDLL(str(path))
        self._functions: dict[str, Callable[..., Any]] = {}

    def run(self, name: str, *arguments: Tensor | float | None) -> None:
        """Run the function ``name``; tensors, which must be contiguous, are given as addresses.

        The first call tells the types of arguments, so that a number must always be of the same.
        """
        function = self._functions.get(name)
        if function is None:
            function = self._functions[name] = self._declared(name, arguments)
        function(*[a if type(a) in _PLAIN else a.data_ptr() for a in arguments])  # type: ignore

    def _declared(self, name: str, arguments: tuple[Tensor | float | None, ...]) -> Any:
        """Return a function that takes addresses and numbers as they are, which is quickest."""
        function = getattr(self._library, name)
        function.argtypes = [_type_of(argument) for argument in arguments]
        function.restype = None
        return function


def _type_of(argument: Tensor | float | None) -> type[Any]:
    if argument is None or isinstance(argument, Tensor):
        return ctypes.c_void_p
    return ctypes.c_int64 if isinstance(argument, int) else ctypes.c_double
