"""How many bytes autograd keeps between a forward pass and its backward pass."""

from collections.abc import Iterable
from weakref import WeakSet

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks


class Kept:
    """Watches what autograd saves from ``start`` until ``stop``.

    ``excluded`` are tensors that exist anyway, such as parameters and the batch. Keeps no tensor
    alive, and changes no gradient.
    """

    def __init__(self, excluded: Iterable[Tensor]) -> None:
        self._excluded = _sizes(excluded).keys()
        self._saved: WeakSet[_Saved] = WeakSet()
        self._hooks = saved_tensors_hooks(self._pack, lambda saved: saved.tensor)

    def start(self) -> None:
        """Begin to watch."""
        self._hooks.__enter__()

    def stop(self) -> None:
        """End it; hooks that were entered since must have been left."""
        self._hooks.__exit__(None, None, None)

    @property
    def bytes(self) -> int:
        """Return the bytes of all storages that are kept now, each counted once and as a whole."""
        sizes = _sizes(saved.tensor for saved in self._saved)
        return sum(size for storage, size in sizes.items() if storage not in self._excluded)

    def _pack(self, tensor: Tensor) -> "_Saved":
        saved = _Saved(tensor)
        self._saved.add(saved)
        return saved


class _Saved:
    """What autograd holds in place of a tensor, exactly as long as the tensor is saved."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor.detach()  # an output that held itself would be there for ever


def _sizes(tensors: Iterable[Tensor]) -> dict[int, int]:
    """Bytes by storage; sparse tensors have none."""
    storages = [t.untyped_storage() for t in tensors if t.layout == torch.strided]
    return {storage._cdata: storage.nbytes() for storage in storages}
