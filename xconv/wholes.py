"""Functions that somebody who simulates may take as a whole.

What such a function returns, and what it allocates on the way, follows from the shapes of its
arguments and not from the numbers in them. Whoever counts memory without computing anything may run
it once for all arguments of the same shapes.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class Taker(Protocol):
    """Runs a function, or returns what is like its result."""

    def __call__(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """Return what ``function(*args)`` returns."""


_takers: list[Taker] = []


def whole(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Return ``function``, which is called through the taker where there is one."""

    @wraps(function)
    def called(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        if not _takers or kwargs:
            return function(*args, **kwargs)
        result: Result = _takers[-1](function, args)
        return result

    return called


@contextmanager
def taken_by(taker: Taker) -> Iterator[None]:
    """Let ``taker`` call whole functions inside."""
    _takers.append(taker)
    try:
        yield
    finally:
        _takers.pop()
