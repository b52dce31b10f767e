"""The state of a network at one moment, and the way back to it.

Gradients are compared that begin from the same state: whatever a forward pass changed is put back
before the next, in place, so that whoever shares a tensor, a list or a generator still shares it.
"""

from __future__ import annotations

import hashlib
import random
import types
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from copy import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from xconv_bench.models.reached import (
    CONTAINERS,
    GENERATORS,
    attributes_of,
    contents_of,
    plain_values,
    reached,
)

PutBack = Callable[[], None]

_ONE_WAY = (random.SystemRandom, types.GeneratorType, types.AsyncGeneratorType, types.CoroutineType)
"""They have no state that could be read."""


class Snapshot:
    """The contents of a network when this was made: ``restore`` puts them back.

    Parameters, buffers (registered or not), attributes of modules and of objects that they hold,
    lists and other containers, variables of closures, what is plain in the classes and the file
    of the network, and generators of its own. ``lost`` names what cannot be put back.
    """

    def __init__(self, model: nn.Module) -> None:
        self.lost: list[str] = []
        self._generators: dict[str, Any] = {}
        self._ways_back: list[PutBack] = []
        storages: set[int] = set()
        for path, thing in reached(model):
            if isinstance(thing, _ONE_WAY):
                self.lost.append(f"{path} (a {type(thing).__name__})")
            elif isinstance(thing, GENERATORS):
                self._generators[path] = thing
            elif isinstance(thing, Tensor):
                self._ways_back += _tensor(thing, storages)
            else:
                self._ways_back += _others(thing)

    def restore(self) -> None:
        """Put everything back but generators, which ``seed`` starts anew."""
        with torch.no_grad():
            for put_back in self._ways_back:
                put_back()

    def seed(self, seed: int) -> None:
        """Start each generator of the network's own from a seed that follows from this one."""
        for path, generator in self._generators.items():
            digest = hashlib.blake2b(f"{path} {seed}".encode(), digest_size=4).digest()
            _seed(generator, int.from_bytes(digest))


def _seed(generator: Any, seed: int) -> None:
    if isinstance(generator, torch.Generator):
        generator.manual_seed(seed)
    elif isinstance(generator, random.Random):
        generator.seed(seed)
    else:
        bits: Any = generator
        if isinstance(generator, np.random.Generator):
            bits = generator.bit_generator
        elif isinstance(generator, np.random.RandomState):
            bits = generator._bit_generator
        bits.state = type(bits)(seed).state


def _tensor(tensor: Tensor, storages: set[int]) -> Iterator[PutBack]:
    """Yield what puts its numbers back, once for all tensors that share them."""
    if is_lazy(tensor) or tensor.device.type == "meta":
        return
    alias, needs_gradient = tensor.detach(), tensor.requires_grad

    def put_back() -> None:
        tensor.data = alias
        if tensor.is_leaf and tensor.requires_grad != needs_gradient:
            tensor.requires_grad_(needs_gradient)

    if tensor.layout is not torch.strided or tensor.is_mkldnn:
        value = alias.clone()
        yield lambda: setattr(tensor, "data", value.clone())
        return
    storage = tensor.untyped_storage()
    if storage._cdata not in storages:
        storages.add(storage._cdata)
        # On the host: there is room for it there, beside a step that fills a GPU.
        kept = storage.clone() if tensor.device.type == "cpu" else storage.cpu()
        yield lambda: _copy(storage, kept)
    yield put_back


def _copy(storage: torch.UntypedStorage, kept: torch.UntypedStorage) -> None:
    if storage.nbytes() == kept.nbytes():
        storage.copy_(kept)


def _others(thing: Any) -> Iterator[PutBack]:
    if isinstance(thing, np.ndarray):
        if thing.flags.writeable:
            values = thing.copy()
            yield lambda: np.copyto(thing, values)
    elif isinstance(thing, types.CellType):
        held = contents_of(thing)
        if held is not None:
            yield lambda: setattr(thing, "cell_contents", held)
    elif isinstance(thing, type | types.ModuleType):
        yield _names(thing)
    elif isinstance(thing, CONTAINERS):
        yield _container(thing)
    attributes = attributes_of(thing)
    if attributes is not None:
        yield _attributes(attributes)


def _names(home: type | types.ModuleType) -> PutBack:
    """Return what puts the plain attributes of a class or a file back."""
    kept = plain_values(home)

    def put_back() -> None:
        for name, value in kept.items():
            if vars(home).get(name) is not value:
                setattr(home, name, value)

    return put_back


def _container(thing: Any) -> PutBack:
    if isinstance(thing, dict):
        items = list(thing.items())

        def put_back() -> None:
            if not _are_same([part for item in thing.items() for part in item],
                             [part for item in items for part in item]):  # fmt: skip
                thing.clear()
                thing.update(items)

        return put_back
    kept = list(thing)

    def put_back_elements() -> None:
        if isinstance(thing, list | bytearray):
            if not _are_same(thing, kept):
                thing[:] = kept
            return
        thing.clear()
        thing.extend(kept) if isinstance(thing, deque) else thing.update(kept)

    return put_back_elements


def _attributes(attributes: dict[str, Any]) -> PutBack:
    """Return what puts attributes back; added ones are removed, iterators begin anew as copies."""
    kept = dict(attributes)
    iterators = {name: again for name, value in kept.items() if (again := _again(value))}

    def put_back() -> None:
        found = {**kept, **{name: again() for name, again in iterators.items()}}
        if not _are_same([*attributes, *attributes.values()], [*found, *found.values()]):
            attributes.clear()
            attributes.update(found)

    return put_back


def _again(value: Any) -> Callable[[], Any] | None:
    """Return what makes an iterator as it is now, for those that can be copied."""
    if not isinstance(value, Iterator) or isinstance(value, _ONE_WAY):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # from Python 3.12 on
        try:
            kept = copy(value)
        except TypeError:
            return None

    def again() -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return copy(kept)

    return again


def _are_same(found: Any, kept: Any) -> bool:
    return len(found) == len(kept) and all(
        one is other for one, other in zip(found, kept, strict=True)
    )
