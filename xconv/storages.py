"""The storages that a tensor consists of."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

_BY_ROW = (torch.sparse_csr, torch.sparse_bsr)
_BY_COLUMN = (torch.sparse_csc, torch.sparse_bsc)


def storages_of(tensor: Tensor) -> Iterator[tuple[torch.UntypedStorage, str]]:
    """Yield each storage of a tensor with the type of its device (``"cpu"``, ``"cuda"``, …).

    A dense tensor has one. A sparse one consists of its indices and values, a wrapper (nested,
    distributed, quantized by a library) of the tensors in it. Nothing is yielded of a tensor in a
    format of oneDNN's own, which does not tell its memory.
    """
    for part in _parts(tensor):
        yield part.untyped_storage(), part.device.type


def _parts(tensor: Tensor) -> Iterator[Tensor]:
    if is_traceable_wrapper_subclass(tensor):
        names, _ = tensor.__tensor_flatten__()
        for name in names:
            yield from _parts(getattr(tensor, name))
    elif tensor.layout is torch.strided or tensor.layout is torch.jagged:
        yield tensor
    elif tensor.layout is torch.sparse_coo:
        yield from (tensor._indices(), tensor._values())
    elif tensor.layout in _BY_ROW:
        yield from (tensor.crow_indices(), tensor.col_indices(), tensor.values())
    elif tensor.layout in _BY_COLUMN:
        yield from (tensor.ccol_indices(), tensor.row_indices(), tensor.values())
