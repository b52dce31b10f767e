"""Calls of C functions with tensors, integers and floating-point numbers.

Every function takes pointers, ``int64_t`` and ``double``, and returns nothing. Python's lock is
released meanwhile.
"""

import ctypes
from pathlib import Path

from torch import Tensor


class Library:
    """A library of C functions, loaded from a file. Raises OSError if that is none."""

    def __init__(self, path: Path) -> None:
        self._functions = ctypes.CDLL(str(path))

    def run(self, name: str, *arguments: Tensor | float | None) -> None:
        """Run the function ``name``; tensors, which must be contiguous, are given as addresses."""
        getattr(self._functions, name)(*map(_in_c, arguments))


def _in_c(argument: Tensor | float | None) -> ctypes.c_void_p | ctypes.c_int64 | ctypes.c_double:
    if isinstance(argument, Tensor):
        return ctypes.c_void_p(argument.data_ptr())
    if isinstance(argument, int):
        return ctypes.c_int64(argument)
    return ctypes.c_void_p() if argument is None else ctypes.c_double(argument)
