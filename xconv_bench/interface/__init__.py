"""The commands that measure as functions of Python, made from the same description."""

from collections.abc import Callable
from functools import cache
from typing import Any


@cache
def function(name: str) -> Callable[..., Any]:
    """Return ``plot``, or the function of the command ``name``, spelt with underscores."""
    if name == "plot":
        from xconv_bench.interface.plotting import plot

        return plot
    from xconv_bench.interface.functions import function_of

    return function_of(name.replace("_", "-"))
