"""Calls of C functions with tensors, integers and floating-point numbers.

Every function takes pointers, ``int64_t`` and ``double``, and returns nothing. Python's lock is
released meanwhile.
"""

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor


class Library:
    """A library of C functions, loaded from a file. Raises OSError if that is none."""

    def __init__(self, path: Path) -> None:
        self._functions = ctypes.CDLL(str(path))
        self._declared: dict[str, Callable[..., None]] = {}

    def run(self, name: str, *arguments: Tensor | float | None) -> None:
        """Run the function ``name``; tensors, which must be contiguous, are given as addresses.

        Every call of a function has numbers of the same types.
        """
        function = self._declared.get(name)
        if function is None:
            function = self._declare(name, arguments)
        function(*[a.data_ptr() if isinstance(a, Tensor) else a for a in arguments])

    def _declare(self, name: str, arguments: tuple[Tensor | float | None, ...]) -> Any:
        """Return a function whose arguments need no objects of ctypes, for the collector to see."""
        function = getattr(self._functions, name)
        function.argtypes, function.restype = list(map(_type_of, arguments)), None
        self._declared[name] = function
        return function


def _type_of(argument: Tensor | float | None) -> Any:
    if isinstance(argument, int):
        return ctypes.c_int64
    return ctypes.c_double if isinstance(argument, float) else ctypes.c_void_p
