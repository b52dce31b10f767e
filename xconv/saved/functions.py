"""Replacement of functions that a model calls in its forward pass, such as ``F.relu``.

The forward pass of a module with a foreign class runs under a dispatch mode of torch's that sees
every call of a function. The mode puts ours in the place of those that belong to a chosen family.
It also reaches functions inside the modules that the forward pass calls, whatever their class,
except in skipped modules.
"""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import torch
import torch.utils.checkpoint
from torch import Tensor, fx, nn
from torch._subclasses.fake_tensor import FakeTensor
from torch.overrides import TorchFunctionMode

from xconv.differentiation import is_recording, may_run_again
from xconv.saved.function_table import FAMILY, OURS, ROUNDED
from xconv.saved.module import Saving, read_as
from xconv.saved.slopes import BITS
from xconv.state import State, state_of

_PLAIN = (Tensor, nn.Parameter, FakeTensor)
"""Tensors that torch's functions treat as ours do, including those of simulations."""

_OF_TORCH_ITSELF = "torch.nn.modules.transformer"
"""The module of torch whose classes call functions in their forward passes."""


class Reaching(nn.Module):
    """Base of a class derived for a module: its own class, run under the mode."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if Reaching in cls.__bases__:
            theirs = cls.__bases__[1]
            cls.forward = _reaching(theirs.forward)  # type: ignore[attr-defined]

    def _xconv_account(self: Any) -> tuple[bool, str]:
        state = state_of(self) or State()
        if not state.functions:
            return False, state.mark
        if state.called:
            return True, f"functions called in its forward pass: {', '.join(state.called)}"
        return True, f"functions that its forward pass may call: {', '.join(state.functions)}"


def calls_functions(module: nn.Module) -> bool:
    """Return whether ``module`` has a foreign forward pass that can be reached.

    Such a forward pass may call any function. It can be reached if the module may be given another
    class.
    """
    if isinstance(module, Saving | fx.GraphModule | torch.jit.ScriptModule):
        return False
    if "forward" in vars(module):
        return False
    return is_foreign(getattr(type(module).forward, "__module__", None) or "")


def is_foreign(origin: str) -> bool:
    """Return whether functions are called, not modules, by code of the Python module ``origin``."""
    return not origin.startswith(("torch.", "xconv.")) or origin == _OF_TORCH_ITSELF


def _reaching(theirs: Callable[..., Any]) -> Any:
    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        return run(theirs, self, *args, **kwargs)

    run = _run
    return read_as(theirs, forward)


def _run(theirs: Callable[..., Any], module: nn.Module, *args: Any, **kwargs: Any) -> Any:
    if not (is_recording() or may_run_again()):
        return theirs(module, *args, **kwargs)
    state = state_of(module) or State()
    with _Reach(state.functions, state.bits or BITS[0], module.training) as reach:
        output = theirs(module, *args, **kwargs)
    if not torch.compiler.is_compiling() and not reach.called <= set(state.called):
        seen = reach.called.union(state.called)
        state.called = tuple(family for family in state.functions if family in seen)
    return output


class _Reach(TorchFunctionMode):
    """A mode that replaces functions of ``families``; the innermost of several decides."""

    def __init__(self, families: tuple[str, ...], bits: int, training: bool) -> None:
        super().__init__()
        self.families, self.bits, self.training = families, bits, training
        self.runs_again = _runs_again()
        self.called: set[str] = set()

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func not in OURS:
            return func(*args, **kwargs)
        input = args[0] if args else kwargs.get("input")
        if type(input) not in _PLAIN:
            return func(*args, **kwargs)
        with torch._C.DisableTorchFunction():  # keeps outer modes from deciding again
            if FAMILY[func] not in self.families or self._is_run_by_a_checkpoint():
                return func(*args, **kwargs)
            if not torch.compiler.is_compiling():
                self.called.add(FAMILY[func])
            if func not in ROUNDED:
                return OURS[func](*args, **kwargs)
            if self.training:
                return OURS[func](*args, **kwargs, bits=self.bits)
            return func(*args, **kwargs)

    def _is_run_by_a_checkpoint(self) -> bool:
        """Return whether a checkpoint inside a forward pass calls the function.

        The checkpoint will run the call again outside of any forward pass, where as much must be
        kept, so the function is left alone. A compiler decides once for both runs.
        """
        if torch.compiler.is_compiling():
            return False
        return self.runs_again != _runs_again() or _is_below_a_checkpoint()


def _runs_again() -> bool:
    return not torch.compiler.is_compiling() and may_run_again()


def _is_below_a_checkpoint() -> bool:
    """Return whether a call of torch's checkpoints is nearer than any forward pass."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code is not _run.__code__:
        if frame.f_globals.get("__name__") == torch.utils.checkpoint.__name__:
            return True
        frame = frame.f_back
    return False
