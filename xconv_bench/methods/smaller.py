"""Tensors that autograd saves, kept smaller: hooks that go with other hooks.

torch asks only the innermost ``saved_tensors_hooks`` about a tensor. These hooks save whatever they
keep through autograd once more, below themselves, so that hooks around them (a meter's, those of a
checkpoint) see what is really kept, and may do with it what they do with any saved tensor.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self
from weakref import WeakValueDictionary, ref

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from xconv.layout import Layout
from xconv.wholes import whole

NO_SMALLER = "what would be kept is no smaller than the input: exact gradient"


class Store(ABC):
    """A way to keep a tensor for the backward pass in fewer bytes.

    Stores are frozen dataclasses: simulations run those with equal fields once for each shape.
    """

    @abstractmethod
    def why_exact(self, layout: Layout) -> str:
        """Return the reason to keep a tensor of this layout itself, or an empty text."""

    @abstractmethod
    def keep(self, tensor: Tensor) -> tuple[Tensor, ...]:
        """Return what is kept of ``tensor``, whose layout has no reason to be exact."""

    @abstractmethod
    def restore(self, kept: tuple[Tensor, ...], layout: Layout) -> Tensor:
        """Return the stand-in for a tensor of ``layout`` from what ``keep`` returned."""


class KeptSmaller:
    """Hooks, entered like ``saved_tensors_hooks``: what is ``chosen`` goes through ``store``.

    A tensor that several operations save is kept once.
    """

    def __init__(self, store: Store, chosen: Callable[[Tensor], bool]) -> None:
        self._store = store
        self._chosen = chosen
        self._hooks = saved_tensors_hooks(self._pack, self._unpack)
        self._known: WeakValueDictionary[Any, _Packed] = WeakValueDictionary()

    def __enter__(self) -> Self:
        self._hooks.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._hooks.__exit__(*exception)

    def _pack(self, tensor: Tensor) -> _Packed:
        # An operation's output must not be held itself: it would keep itself alive, in a circle.
        tensor = tensor.detach()
        if not self._chosen(tensor):
            return _Packed(self._saved_below((tensor,)))
        storage = tensor.untyped_storage()
        key = (
            storage._cdata, tensor._version, tensor.dtype, tensor.shape,
            tensor.stride(), tensor.storage_offset(),
        )  # fmt: skip
        known = self._known.get(key)
        if known is not None and known.origin is not None and known.origin() is storage:
            return known
        with torch.no_grad():
            kept = _kept(self._store, tensor)
        saved = _Packed(self._saved_below(kept), Layout.of(tensor), ref(storage))
        self._known[key] = saved
        return saved

    def _unpack(self, saved: _Packed) -> Tensor:
        kept = saved.node.saved_tensors
        if saved.layout is None:
            return kept[0]
        with torch.no_grad():
            return _restored(self._store, kept, saved.layout)

    def _saved_below(self, tensors: tuple[Tensor, ...]) -> Any:
        """Save tensors for the hooks around these; return the node of the graph that has them."""
        self._hooks.__exit__()
        try:
            with torch.enable_grad():
                anchor = torch.empty(0, requires_grad=True, device=tensors[0].device)
                return _Holding.apply(anchor, *tensors).grad_fn
        finally:
            self._hooks.__enter__()


@whole
def _kept(store: Store, tensor: Tensor) -> tuple[Tensor, ...]:
    return store.keep(tensor)


@whole
def _restored(store: Store, kept: tuple[Tensor, ...], layout: Layout) -> Tensor:
    return store.restore(kept, layout)


@dataclass(eq=False)
class _Packed:
    """A saved tensor: the node that has what is kept of it.

    ``layout`` is None where that is the tensor itself. ``origin`` refers to its storage.
    """

    node: Any
    layout: Layout | None = None
    origin: ref[torch.UntypedStorage] | None = None


class _Holding(torch.autograd.Function):
    """A node that saves tensors, and through which no gradient ever goes."""

    @staticmethod
    def forward(ctx: Any, anchor: Tensor, *tensors: Tensor) -> Tensor:
        ctx.save_for_backward(*tensors)
        return anchor.new_empty(0)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> Any:
        raise AssertionError("no gradient goes through what is kept")
