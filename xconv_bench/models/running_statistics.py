"""Normalisation with running statistics in a part of a network that runs a second time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from xconv.contents import modules

_UPDATED = ("running_mean", "running_var", "num_batches_tracked")


@contextmanager
def not_updated(parts: Iterable[nn.Module]) -> Iterator[None]:
    """Let copies take the updates of running statistics and of their count inside.

    In training normalisation is by the batch: its result does not depend on them.
    """
    kept = []
    for module in {m for part in parts for m in modules(part) if isinstance(m, _NormBase)}:
        for name in _UPDATED:
            buffer = module._buffers.get(name)
            if buffer is not None and module.training:
                kept.append((module, name, buffer))
                module._buffers[name] = buffer.clone()
    try:
        yield
    finally:
        for module, name, buffer in kept:
            module._buffers[name] = buffer
