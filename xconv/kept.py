"""What autograd keeps between the forward and the backward pass, and in whose forward pass."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from types import FrameType, MappingProxyType
from typing import Any, NamedTuple, Self
from weakref import WeakSet

import torch.utils.checkpoint
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.hooks import RemovableHandle

from xconv.storages import storages_of


class Holder(NamedTuple):
    """Where something was saved: while ``module`` ran, the innermost, by its name.

    ``module`` is None outside of every module. ``enters_checkpoint`` marks what enters a block
    that ``torch.utils.checkpoint`` computes again.
    """

    module: str | None
    enters_checkpoint: bool = False


class KeptMeter:
    """Count the storages that autograd saves while this is entered, and still keeps.

    Sizes are those of whole storages, so that a view counts as what it keeps alive. The meter
    keeps none alive itself: read it before the output of the network is gone.

    Args:
        excluded: tensors that exist anyway, such as parameters and buffers; their storages do not
            count.
        owners: modules to tell apart, by name; several of one name count together. A module in
            none of them counts for the module that calls it.

    >>> layer = torch.nn.Linear(4, 4)
    >>> with KeptMeter(layer.parameters(), {"layer": [layer]}) as meter:
    ...     output = layer(torch.zeros(2, 4)).exp()
    >>> meter.total_bytes
    64
    >>> for holder, kept in meter.shares().items():
    ...     print(holder.module, kept)
    layer 32
    None 32
    """

    def __init__(
        self,
        excluded: Iterable[Tensor],
        owners: Mapping[str, Sequence[nn.Module]] = MappingProxyType({}),
    ) -> None:
        self._excluded = list(excluded)
        self._owners = owners
        self._saved: WeakSet[_Saved] = WeakSet()
        self._numbers = count()
        self._running: list[str] = []
        self._handles: list[RemovableHandle] = []
        self._hooks = saved_tensors_hooks(self._pack, lambda saved: saved.tensor)

    def __enter__(self) -> Self:
        for name, modules in self._owners.items():
            for module in modules:
                self._handles += _hooks(module, name, self._running)
        self._hooks.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._hooks.__exit__(*exception)
        for handle in self._handles:
            handle.remove()

    @property
    def total_bytes(self) -> int:
        """Return what is kept now, each storage once; the backward pass frees it bit by bit."""
        return sum(self.shares().values())

    @property
    def running(self) -> str | None:
        """Return the name of the innermost module that runs now, None where none does."""
        return self._running[-1] if self._running else None

    def bytes_of(self, owner: str) -> int:
        """Return what is kept now of what ``owner`` saved, in bytes, whoever else saved it too."""
        own = (each for each in self._saved if each.holder.module == owner)
        return sum(self._shares(own).values())

    def shares(self) -> dict[Holder, int]:
        """Return the bytes kept now by who saved them; a storage counts once, for the first."""
        return self._shares(self._saved)

    def tensors(self) -> list[Tensor]:
        """Return what is kept now, excluded storages too."""
        return [saved.tensor for saved in self._saved]

    def _shares(self, saved: Iterable[_Saved]) -> dict[Holder, int]:
        counted = set(_bytes_by_storage(self._excluded))
        shares: dict[Holder, int] = {}
        for each in sorted(saved, key=lambda saved: saved.number):
            for storage, size in _bytes_by_storage([each.tensor]).items():
                if storage not in counted:
                    counted.add(storage)
                    shares[each.holder] = shares.get(each.holder, 0) + size
        return shares

    def _pack(self, tensor: Tensor) -> _Saved:
        holder = Holder(self.running, _enters_checkpoint(sys._getframe(1)))
        # An operation's output must not be held itself: it would keep itself alive, in a circle.
        saved = _Saved(tensor.detach(), holder, next(self._numbers))
        self._saved.add(saved)
        return saved


class _Saved:
    """What autograd holds in place of a tensor: it lives exactly as long as the tensor is saved."""

    def __init__(self, tensor: Tensor, holder: Holder, number: int) -> None:
        self.tensor, self.holder, self.number = tensor, holder, number


def _hooks(module: nn.Module, name: str, running: list[str]) -> list[RemovableHandle]:
    """Keep ``name`` on the stack while ``module`` runs; past methods that a class overrides."""
    return [
        nn.Module.register_forward_pre_hook(module, lambda *_: running.append(name), prepend=True),
        nn.Module.register_forward_hook(module, lambda *_: _leave(running), always_call=True),
    ]


def _leave(running: list[str]) -> None:
    running.pop()


def _enters_checkpoint(caller: FrameType | None) -> bool:
    """Whether a checkpoint saves what it is called with: nothing else is saved from its file."""
    while caller is not None and caller.f_globals.get("__name__") == "torch.autograd.function":
        caller = caller.f_back
    name = None if caller is None else caller.f_globals.get("__name__")
    return name == torch.utils.checkpoint.__name__


def _bytes_by_storage(tensors: Iterable[Tensor]) -> dict[int, int]:
    storages = (storage for tensor in tensors for storage, _ in storages_of(tensor))
    return {storage._cdata: storage.nbytes() for storage in storages}
