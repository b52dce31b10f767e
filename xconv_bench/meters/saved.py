"""What autograd keeps between the forward and the backward pass."""

from collections.abc import Iterable
from typing import Any
from weakref import WeakSet

from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from xconv_bench.meters.storages import storages_of


class SavedMeter:
    """Bytes of the distinct storages that autograd saved while this was entered, and still keeps.

    ``excluded`` are the storages that exist anyway: parameters, buffers. Sizes are those of the
    storages, so that a view counts as what it keeps alive. The meter itself keeps none alive.
    """

    def __init__(self, excluded: Iterable[Tensor]) -> None:
        self._excluded = list(excluded)
        self._saved: WeakSet[Saved] = WeakSet()
        self._hooks = saved_tensors_hooks(self._pack, lambda saved: saved.tensor)

    def __enter__(self) -> "SavedMeter":
        self._hooks.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._hooks.__exit__(*exception)

    @property
    def reading(self) -> dict[str, int]:
        """The column of this meter; the backward pass frees what it no longer needs."""
        return {"saved_bytes": self._kept_bytes(self._saved)}

    def _kept_bytes(self, saved: "Iterable[Saved]") -> int:
        kept = _bytes_by_storage(each.tensor for each in saved)
        excluded = _bytes_by_storage(self._excluded)
        return sum(kept[key] for key in kept.keys() - excluded.keys())

    def _pack(self, tensor: Tensor) -> "Saved":
        # An operation's output must not be held itself: it would keep itself alive, in a circle.
        saved = Saved(tensor.detach())
        self._saved.add(saved)
        return saved


class Saved:
    """What autograd holds in place of a tensor: it lives exactly as long as the tensor is saved."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        self.owner = ""


def _bytes_by_storage(tensors: Iterable[Tensor]) -> dict[int, int]:
    storages = (storage for tensor in tensors for storage, _ in storages_of(tensor))
    return {storage._cdata: storage.nbytes() for storage in storages}
