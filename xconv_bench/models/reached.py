"""The reach of a network: all that its forward pass may read and change."""

from __future__ import annotations

import functools
import random
import sys
import types
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from xconv.contents import named_modules

GENERATORS = (
    random.Random, np.random.Generator, np.random.RandomState, np.random.BitGenerator,
    torch.Generator,
)  # fmt: skip
CONTAINERS = (list, dict, set, deque, bytearray)
"""The kinds of objects that change in place and can be put back in place."""

_PLAIN = (bool, int, float, complex, str, bytes, type(None), tuple, frozenset)
_LIBRARIES = frozenset(
    {
        *("torch", "torchvision", "timm", "segmentation_models_pytorch", "monai", "transformers"),
        *("diffusers", "xconv", "xconv_bench", "numpy", *sys.stdlib_module_names),
    }
) - {"__main__"}


def reached(model: nn.Module) -> Iterator[tuple[str, Any]]:
    """Return everything mutable that ``model`` leads to, each once, by the path to it.

    Its modules, their attributes and what these hold, closures of functions, and of classes and
    files that belong to no library what is plain: numbers, containers, generators, tensors.
    """
    named = list(named_modules(model))
    yield from named
    seen: dict[int, Any] = {id(module): module for _, module in named}
    stack = [(_join(path, name), held) for path, m in named for name, held in _held_by(m)][::-1]
    while stack:
        path, thing = stack.pop()
        if isinstance(thing, _PLAIN[:-2]) or id(thing) in seen:
            continue
        seen[id(thing)] = thing  # kept, so that no other gets its address
        yield path, thing
        stack += [(_join(path, name), held) for name, held in _held_by(thing)][::-1]
    homes = {kind: None for thing in seen.values() for kind in type(thing).__mro__}
    yield from _homes(homes, seen)


def attributes_of(thing: Any) -> dict[str, Any] | None:
    """Return the attributes of an object that may change them, ``None`` for other things.

    Things that torch, numpy and Python's own library keep inside their objects are not looked at.
    """
    if not isinstance(thing, nn.Module | types.SimpleNamespace) and _is_of_library(type(thing)):
        return None
    if isinstance(thing, type | types.ModuleType | types.FunctionType | Tensor):
        return None
    found: dict[str, Any] | None = getattr(thing, "__dict__", None)
    return found if isinstance(found, dict) else None


def plain_values(home: type | types.ModuleType) -> dict[str, Any]:
    """Return what is plain among the names of a class or a file."""
    kinds = (*_PLAIN, *CONTAINERS, *GENERATORS, Tensor, np.ndarray)
    return {
        name: value
        for name, value in vars(home).items()
        if isinstance(value, kinds) and not name.startswith("__")
    }


def _homes(kinds: Iterable[type], seen: dict[int, Any]) -> Iterator[tuple[str, Any]]:
    """Yield classes of what was reached, their files, and the values in both that are not plain."""
    for kind in kinds:
        home = sys.modules.get(kind.__module__)
        if _is_of_library(kind) or home is None:
            continue
        for place in (kind, home):
            if id(place) in seen:
                continue
            seen[id(place)] = place
            yield place.__name__, place
            for name, value in plain_values(place).items():
                if not isinstance(value, _PLAIN) and id(value) not in seen:
                    seen[id(value)] = value
                    yield f"{place.__name__}.{name}", value


def _held_by(thing: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(thing, dict):
        yield from ((str(key), value) for key, value in list(thing.items()))
    elif isinstance(thing, list | tuple | deque | set | frozenset):
        yield from ((str(number), value) for number, value in enumerate(thing))
    elif isinstance(thing, types.MethodType):
        yield "", thing.__self__
    elif isinstance(thing, functools.partial):
        yield "", thing.func
        yield "", thing.args
        yield "", thing.keywords
    elif isinstance(thing, types.FunctionType) and not _is_library(thing.__module__):
        yield from (("", cell) for cell in thing.__closure__ or ())
    elif isinstance(thing, types.CellType):
        yield "", contents_of(thing)
    yield from (attributes_of(thing) or {}).items()


def contents_of(cell: types.CellType) -> Any:
    """Return what a variable of a closure holds, ``None`` where it is empty."""
    try:
        return cell.cell_contents
    except ValueError:
        return None


def _is_of_library(kind: type) -> bool:
    return _is_library(kind.__module__)


def _is_library(module: str | None) -> bool:
    return module is None or module.partition(".")[0] in _LIBRARIES


def _join(path: str, name: str) -> str:
    return ".".join(part for part in (path, name) if part)
