"""Live tensor memory, counted exactly.

Every storage that an operation returns is counted while it lives, in the CUDA allocator's blocks of
512 bytes. The count is the same on every device and in every run. Memory that a kernel allocates
and frees inside itself (cuDNN and oneDNN workspaces) is not in it, nor is fragmentation, nor are
the tables of ``xconv.cached``, which outlive every step.
"""

import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from xconv.cached import is_table
from xconv.contents import buffers, parameters
from xconv.storages import storages_of

_BLOCK_BYTES = 512


@dataclass(frozen=True)
class Reach:
    """The memory of a part of a step.

    ``peak_bytes`` is above what lived before it, ``largest_elements`` are those of its largest
    tensor, ``allocated_bytes`` those of its operators.
    """

    peak_bytes: int
    largest_elements: int
    allocated_bytes: Mapping[str, int]


class LiveMeter(TorchDispatchMode):
    """Counts the bytes of live storages on ``device`` while it is entered.

    Whatever exists before must be shown to ``track``. ``peak_bytes`` is the highest count since
    ``reset_peak``; ``live_bytes`` the count now; ``largest_elements`` the elements of the largest
    tensor that was seen; ``allocated_bytes`` what each operator has allocated, by its name.
    """

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self._kind = device.type
        self._known: dict[int, weakref.ref[torch.UntypedStorage]] = {}
        self._sizes: dict[int, int] = {}
        self.allocated_bytes: Counter[str] = Counter()
        self.live_bytes = 0
        self.peak_bytes = 0
        self.largest_elements = 0
        self._awaited: tuple[int, Callable[[], None]] | None = None

    @property
    def reading(self) -> dict[str, int]:
        """Return the column of this meter."""
        return {"live_peak_bytes": self.peak_bytes}

    def reset_peak(self) -> None:
        """Forget the peak; what lives now is where the next one starts."""
        self.peak_bytes = self.live_bytes

    def reach(self, before: int) -> Reach:
        """Return what was seen since the peak was reset, with ``before`` live bytes then."""
        return Reach(self.peak_bytes - before, self.largest_elements, dict(self.allocated_bytes))

    def replay(self, reach: Reach) -> None:
        """Count a part of a step that took ``reach``, whose tensors are gone again."""
        self._rise(self.live_bytes + reach.peak_bytes)
        self.largest_elements = max(self.largest_elements, reach.largest_elements)
        self.allocated_bytes.update(reach.allocated_bytes)

    def when_reached(self, count: int, call: Callable[[], None]) -> None:
        """Call ``call`` once, in the moment in which so many bytes live."""
        self._awaited = count, call

    def sizes_of(self, tensors: Iterable[Tensor]) -> dict[int, int]:
        """Return what the storages of these that live now are counted as, each once."""
        parts = (storage._cdata for tensor in tensors for storage, _ in storages_of(tensor))
        return {key: self._sizes[key] for key in parts if key in self._sizes}

    def bytes_of(self, tensors: Iterable[Tensor]) -> int:
        """Return what the storages of these count for, each of which has its own."""
        parts = (part for tensor in tensors for part in storages_of(tensor))
        return sum(_in_blocks(storage) for storage, kind in parts if kind == self._kind)

    def track(self, tensors: Any) -> None:
        """Count the storages of every tensor in a structure, until each is freed."""
        for tensor in tree_iter(tensors):
            if isinstance(tensor, Tensor):
                self._track_tensor(tensor)

    def track_model(self, model: nn.Module) -> None:
        """Count parameters, buffers and gradients."""
        self.track([*parameters(model), *buffers(model)])
        self.track([p.grad for p in parameters(model) if p.grad is not None])

    @classmethod
    def is_infra_mode(cls) -> bool:
        """Return True: ``torch.compile`` is to do inside what it does outside."""
        return True

    @classmethod
    def ignore_compile_internals(cls) -> bool:
        """Return True, for the same reason."""
        return True

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        before = self.live_bytes
        self.track(result)
        if self.live_bytes > before:
            name = str(func).removesuffix(".default")
            self.allocated_bytes[name] += self.live_bytes - before
        return result

    def _track_tensor(self, tensor: Tensor) -> None:
        stored = 0
        for storage, kind in storages_of(tensor):
            stored += storage.nbytes()
            self._track_storage(storage, kind)
        # Not of a view that repeats the same numbers: no kernel counts them one by one.
        elements = min(tensor.numel(), stored // tensor.itemsize)
        self.largest_elements = max(self.largest_elements, elements)

    def _track_storage(self, storage: torch.UntypedStorage, kind: str) -> None:
        if kind != self._kind or is_table(storage):
            return
        key = storage._cdata
        size = _in_blocks(storage)
        if key not in self._known:
            self._known[key] = weakref.ref(storage, lambda _: self._forget(key))
        self.live_bytes += size - self._sizes.get(key, 0)
        self._sizes[key] = size
        self._rise(self.live_bytes)

    def _rise(self, to: int) -> None:
        self.peak_bytes = max(self.peak_bytes, to)
        if self._awaited is not None and to >= self._awaited[0]:
            _, call = self._awaited
            self._awaited = None
            call()

    def _forget(self, key: int) -> None:
        del self._known[key]
        self.live_bytes -= self._sizes.pop(key)


def _in_blocks(storage: torch.UntypedStorage) -> int:
    return -(-storage.nbytes() // _BLOCK_BYTES) * _BLOCK_BYTES
