"""Bytes that autograd keeps between a forward pass and its backward pass."""

from collections.abc import Iterable
from typing import Any, Self
from weakref import WeakSet

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks


class KeptMeter:
    """Count the storages that autograd saves while this is entered, and still keeps.

    Sizes are those of whole storages, so that a view counts as what it keeps alive. The meter
    keeps none alive itself, and changes no gradient.

    Args:
        excluded: tensors that exist anyway, such as parameters and the batch; their storages do
            not count.
    """

    def __init__(self, excluded: Iterable[Tensor]) -> None:
        self._excluded = list(excluded)
        self._saved: WeakSet[_Saved] = WeakSet()
        self._hooks = saved_tensors_hooks(self._pack, lambda saved: saved.tensor)

    def __enter__(self) -> Self:
        self._hooks.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._hooks.__exit__(*exception)

    @property
    def total_bytes(self) -> int:
        """Return what is kept now, each storage once."""
        sizes = _bytes_by_storage(saved.tensor for saved in self._saved)
        return sum(sizes[key] for key in sizes.keys() - _bytes_by_storage(self._excluded).keys())

    def _pack(self, tensor: Tensor) -> "_Saved":
        saved = _Saved(tensor.detach())  # an output that held itself would be there for ever
        self._saved.add(saved)
        return saved


class _Saved:
    """A thing that autograd holds in place of a tensor, exactly as long as the tensor is saved."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


def _bytes_by_storage(tensors: Iterable[Tensor]) -> dict[int, int]:
    """Return the bytes of dense tensors' storages; sparse tensors have none of their own."""
    storages = [t.untyped_storage() for t in tensors if t.layout == torch.strided]
    return {storage._cdata: storage.nbytes() for storage in storages}
