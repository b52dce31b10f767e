"""Common base of the modules that replace torch's and keep less."""

from collections.abc import Callable
from functools import wraps
from types import FunctionType
from typing import Any

from torch import fx

from xconv.quantization import PassedOver
from xconv.subclasses import of_any_class
from xconv.symbolic import as_leaf


class Saving(PassedOver):
    """A class derived from one of torch's that differs from it in what is kept.

    Methods that torch's class does not have carry names that no foreign class uses.
    """

    def _xconv_account(self: Any) -> tuple[bool, str]:
        """Return whether the module keeps less than torch's, and how, or why not."""
        raise NotImplementedError

    @classmethod
    def _xconv_refuses(cls, module: Any) -> str:
        """Return why ``module``, one of torch's, would keep no less, or an empty text."""
        return ""


def instead_of(theirs: Callable[..., Any], ours: Callable[[Any, Any], Any]) -> Any:
    """Return a method that calls ``ours`` with the module and its input.

    ``torch.fx`` sees a leaf. TorchScript, which reads source code, reads that of ``theirs``.
    """
    ours = of_any_class(ours)

    def run(self: Any, input: Any) -> Any:
        return as_leaf(self, input) if isinstance(input, fx.Proxy) else ours(self, input)

    def forward(self: Any, input: Any) -> Any:
        return run(self, input)

    return read_as(theirs, forward)


def read_as(theirs: Any, ours: Any) -> Any:
    """Return ``ours`` as a method whose source code is read as that of ``theirs``.

    Its global names are those of ``theirs``, which that code needs; ``ours`` uses none of its own.
    """
    method = FunctionType(
        ours.__code__, theirs.__globals__, theirs.__name__, ours.__defaults__, ours.__closure__
    )
    return wraps(theirs)(method)
