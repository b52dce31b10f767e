"""The tensors in whatever a network returned, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn


def named_tensors(output: Any) -> dict[str, Tensor]:
    """Return all tensors in ``output``, each once, by the path to them; the output itself by "".

    Tuples, lists, dictionaries, dataclasses and other objects are looked into, in their order.
    """
    found: dict[str, Tensor] = {}
    for path, tensor in _walk(output, "", set()):
        if not any(tensor is other for other in found.values()):
            found[path] = tensor
    return found


def _walk(thing: Any, path: str, above: set[int]) -> Iterator[tuple[str, Tensor]]:
    if isinstance(thing, Tensor):
        yield path, thing
        return
    if id(thing) in above:  # an object that holds itself
        return
    for name, part in _parts(thing):
        yield from _walk(part, f"{path}.{name}" if path else name, above | {id(thing)})


def _parts(thing: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(thing, Mapping):
        yield from ((str(key), thing[key]) for key in thing)
    elif isinstance(thing, tuple) and hasattr(thing, "_fields"):
        yield from zip(thing._fields, thing, strict=True)
    elif isinstance(thing, tuple | list):
        yield from ((str(number), part) for number, part in enumerate(thing))
    elif not isinstance(thing, type | nn.Module):
        slots = getattr(type(thing), "__slots__", ())
        names = [slots] if isinstance(slots, str) else list(slots)
        yield from ((name, getattr(thing, name)) for name in names if hasattr(thing, name))
        yield from getattr(thing, "__dict__", {}).items()
