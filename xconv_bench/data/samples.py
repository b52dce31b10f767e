"""A finite data set, as one network takes it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from xconv_bench.data.batches import Batch


class Samples(ABC):
    """Samples by number, from 0 on; a sample is the same whatever batch it is part of."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def batch(self, indices: Sequence[int]) -> Batch:
        """Return inputs (B, ...) and targets, on the device and in the dtype asked for."""


class FirstSamples(Samples):
    """The first ``count`` of other samples."""

    def __init__(self, samples: Samples, count: int) -> None:
        self._samples = samples
        self._count = count

    def __len__(self) -> int:
        return self._count

    def batch(self, indices: Sequence[int]) -> Batch:
        """Forward to the wrapped samples."""
        return self._samples.batch(indices)
