"""What autograd keeps between the forward and the backward pass."""

from collections.abc import Iterable
from typing import Any

from torch import Tensor, UntypedStorage
from torch.autograd.graph import saved_tensors_hooks


class SavedMeter:
    """Bytes of the distinct storages that autograd saves while this is entered.

    ``excluded`` are the storages that exist anyway: parameters, buffers. Sizes are those of the
    storages, so that a view counts as what it keeps alive.
    """

    def __init__(self, excluded: Iterable[Tensor]) -> None:
        self._excluded = list(excluded)
        self._saved: dict[int, UntypedStorage] = {}
        self._hooks = saved_tensors_hooks(self._keep, lambda tensor: tensor)

    def __enter__(self) -> "SavedMeter":
        self._hooks.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._hooks.__exit__(*exception)

    @property
    def reading(self) -> dict[str, int]:
        """The column of this meter; read it before the backward pass frees anything."""
        excluded = {t.untyped_storage()._cdata for t in self._excluded}
        kept = [s.nbytes() for key, s in self._saved.items() if key not in excluded]
        return {"saved_bytes": sum(kept)}

    def forget(self) -> None:
        """Let go of what was saved, so that the backward pass can free them."""
        self._saved.clear()

    def _keep(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        self._saved[storage._cdata] = storage
        # What a hook returns must not hold the tensor itself: an output would keep itself alive.
        return tensor.detach()
