"""Side effects of blocks: what changes beside the output, and would again in a second run."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from xconv.contents import named_modules
from xconv_bench.errors import Unsupported

_DEPTH = 6
"""Objects in objects in … are looked into so deeply."""

_NOT_LOOKED_INTO = (nn.Module, FunctionType, type, torch.dtype, torch.device)


def call_without_side_effects(
    run: Callable[..., Any],
    modules: Sequence[nn.Module],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> Any:
    """Return ``run(*args, **kwargs)``, where ``modules`` are what it runs.

    Raises Unsupported where it changed an argument (a list has one element more, a tensor other
    values), or a buffer other than running statistics, on which no result in training depends.
    """
    given = {"an argument": (args, kwargs), "a buffer": dict(_buffers(modules))}
    before = {what: _state(value) for what, value in given.items()}
    result = run(*args, **kwargs)
    given["a buffer"] = dict(_buffers(modules))
    for what, value in given.items():
        if _state(value) != before[what]:
            names = " and ".join(dict.fromkeys(type(module).__name__ for module in modules))
            raise Unsupported(
                f"{names} changes {what} in its forward pass, and would change it once more when "
                "it is computed again: it cannot be checkpointed"
            )
    return result


def _buffers(modules: Sequence[nn.Module]) -> Iterator[tuple[str, Tensor]]:
    for place, module in enumerate(modules):
        for path, inner in named_modules(module):
            if not isinstance(inner, _NormBase):
                for name, buffer in inner._buffers.items():
                    if buffer is not None:
                        yield f"{place} {path} {name}", buffer


def _state(value: Any, depth: int = _DEPTH) -> Any:
    """Return a value that is equal before and after, unless there was a change, by identities."""
    if isinstance(value, Tensor):
        return _Same(value), value._version
    if depth and isinstance(value, Mapping):
        return [(key, _state(inner, depth - 1)) for key, inner in value.items()]
    if depth and isinstance(value, (list, tuple, deque)):
        return [_state(inner, depth - 1) for inner in value]
    if isinstance(value, (set, frozenset)):
        return {_Same(inner) for inner in value}
    if depth and hasattr(value, "__dict__") and not isinstance(value, _NOT_LOOKED_INTO):
        return _Same(value), _state(vars(value), depth - 1)
    return _Same(value)


class _Same:
    """Equal to another of the very same object, which it keeps, lest another takes its place."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self._value is other._value

    def __hash__(self) -> int:
        return id(self._value)
