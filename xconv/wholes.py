"""Functions that a memory simulation may run once and reuse.

The result of such a function, and the memory it allocates on the way, depend on the shapes of its
arguments and not on their values. A program that counts memory without computing anything may run
the function once for all arguments of the same shapes. If a loop over parts of a tensor calls it
with the tensor and a ``Stretch``, it runs once for all parts of the same length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar

from torch import Tensor

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class Taker(Protocol):
    """A function that runs another function, or returns an equivalent of its result."""

    def __call__(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """Return what ``function(*args)`` returns."""


@dataclass(frozen=True)
class Shapeless:
    """A number that changes what a whole function computes, and nothing about its memory."""

    value: int


@dataclass(frozen=True)
class Stretch:
    """A part of a dimension: for the memory of a whole function, only its length matters."""

    start: int
    length: int

    @classmethod
    def of(cls, some: slice) -> Stretch:
        """Return the stretch of a slice that has a start and an end."""
        return cls(some.start, some.stop - some.start)

    def within(self, tensor: Tensor, dim: int = 0) -> Tensor:
        """Return this part of ``tensor`` as a view. Raises RuntimeError where it ends beyond."""
        return tensor.narrow(dim, self.start, self.length)


_takers: list[Taker] = []


def whole(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Return ``function`` so that the current taker, if there is one, handles its calls."""

    @wraps(function)
    def called(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        if not _takers or kwargs:
            return function(*args, **kwargs)
        result: Result = _takers[-1](function, args)
        return result

    return called


@contextmanager
def taken_by(taker: Taker) -> Iterator[None]:
    """Let ``taker`` handle calls of whole functions inside the context."""
    _takers.append(taker)
    try:
        yield
    finally:
        _takers.pop()
