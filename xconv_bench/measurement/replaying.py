"""Simulated functions that run once for all arguments of the same shapes.

The spectral scheme runs thousands of operators for each layer, the same for many layers. The first
call with arguments of some shapes is simulated operator by operator, and its allocations are
written down; further calls show the meters what was written down.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import (
    _disable_current_modes,
    _get_current_dispatch_mode_stack,
)

from xconv.wholes import Shapeless, Stretch
from xconv_bench.meters.live import LiveMeter, Reach


@dataclass(frozen=True)
class _Like:
    """A tensor that has a storage of its own, of so many elements."""

    shape: torch.Size
    stride: tuple[int, ...]
    offset: int
    elements: int
    dtype: torch.dtype
    device: torch.device

    @classmethod
    def of(cls, tensor: Tensor) -> _Like:
        elements = tensor.untyped_storage().nbytes() // tensor.itemsize
        return cls(
            tensor.shape,
            tensor.stride(),
            int(tensor.storage_offset()),
            elements,
            tensor.dtype,
            tensor.device,
        )

    @property
    def is_dense(self) -> bool:
        """Return whether the tensor reaches from the beginning of its storage to its end."""
        reach = (step * (n - 1) for n, step in zip(self.shape, self.stride, strict=True))
        return self.offset == 0 and self.elements == sum(reach) + 1


@dataclass(frozen=True)
class _Record:
    """The reach of a call, and its results: new tensors, or arguments by number."""

    reach: Reach
    results: tuple[_Like | int, ...]
    kind: type


_records: WeakKeyDictionary[FakeTensorMode, dict[Any, _Record | None]] = WeakKeyDictionary()
"""The records of each simulation; None for calls that cannot be replayed."""


class Replay:
    """Calls whole functions in simulations of ``mode``; ``infrastructure`` are modes beside it
    that change no result. Where others look on, functions run."""

    def __init__(self, mode: FakeTensorMode, infrastructure: type) -> None:
        self._mode = mode
        self._known = _records.setdefault(mode, {})
        self._kinds = (FakeTensorMode, LiveMeter, infrastructure)

    def __call__(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """Return what ``function(*args)`` returns, once it has run on such arguments."""
        modes = _get_current_dispatch_mode_stack()
        if torch.is_grad_enabled() or any(type(mode) not in self._kinds for mode in modes):
            return function(*args)
        tensors: list[Tensor] = []
        key = (function, torch.is_autocast_enabled("cpu"), _shapes(args, tensors))
        if key not in self._known:
            return self._first(key, function, args, tensors)
        record = self._known[key]
        if record is None:
            return function(*args)
        meters = [mode for mode in modes if isinstance(mode, LiveMeter)]
        for meter in meters:
            meter.replay(record.reach)
        results = []
        for like in record.results:
            results.append(tensors[like] if isinstance(like, int) else self._make(like))
            for meter in () if isinstance(like, int) else meters:
                meter.track(results[-1])
        if record.kind is FakeTensor:
            return results[0]
        return record.kind(results) if results else None

    def _first(
        self, key: Any, function: Callable[..., Any], args: tuple[Any, ...], tensors: list[Tensor]
    ) -> Any:
        device = next((t.device for t in tensors if t.dim()), torch.device("cpu"))
        meter = LiveMeter(device)
        meter.track(tensors)
        meter.reset_peak()
        before = meter.live_bytes
        with meter:
            result = function(*args)
        self._known[key] = _record(result, tensors, meter, before)
        return result

    def _make(self, like: _Like) -> Tensor:
        with _disable_current_modes(), self._mode:
            if like.is_dense:
                return torch.empty_strided(
                    like.shape, like.stride, dtype=like.dtype, device=like.device
                )
            whole = torch.empty(like.elements, dtype=like.dtype, device=like.device)
            return whole.as_strided(like.shape, like.stride, like.offset)


def _record(result: Any, tensors: list[Tensor], meter: LiveMeter, before: int) -> _Record | None:
    """Return the key of a call; None where more than its results outlives it, or where these are
    not tensors with storages of their own."""
    found = [result] if isinstance(result, Tensor) else result or ()
    if not isinstance(found, (list, tuple)):
        return None
    likes: list[_Like | int] = []
    storages = set()
    for each in found:
        place = next((n for n, tensor in enumerate(tensors) if tensor is each), None)
        if place is not None:
            likes.append(place)
        elif isinstance(each, FakeTensor):
            storages.add(each.untyped_storage()._cdata)
            likes.append(_Like.of(each))
        else:
            return None
    new = [each for each, like in zip(found, likes, strict=True) if isinstance(like, _Like)]
    is_all = meter.live_bytes - before == meter.bytes_of(new)
    if not is_all or len(storages) != len(new):
        return None
    return _Record(meter.reach(before), tuple(likes), type(result))


def _shapes(value: Any, tensors: list[Tensor]) -> Any:
    """Return ``value`` with shapes in place of tensors, which are added to ``tensors``."""
    if isinstance(value, Tensor):
        tensors.append(value)
        where = next(n for n, tensor in enumerate(tensors) if tensor is value)
        layout = (value.shape, value.stride())
        return (where, *layout, value.dtype, value.device, value.requires_grad)
    if isinstance(value, Shapeless):
        return Shapeless
    if isinstance(value, Stretch):
        return Stretch, value.length
    if isinstance(value, slice):
        return slice, value.start, value.stop, value.step
    if isinstance(value, (list, tuple)):
        return tuple(_shapes(each, tensors) for each in value)
    if is_dataclass(value):
        named = (getattr(value, field.name) for field in fields(value))
        return (type(value), *(_shapes(each, tensors) for each in named))
    return value
