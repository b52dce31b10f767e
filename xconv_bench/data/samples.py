"""A finite data set, as one network takes it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from xconv_bench.data.batches import Batch


class Samples(ABC):
    """Samples by number, from 0 on; a sample is the same whatever batch it is part of."""

    @abstractmethod
    def __len__(self) -> int: ...

    @property
    def reach(self) -> float:
        """Return how many samples ``batch`` has by number, those beyond the last one included.

        It is infinite where samples are made as they are asked for.
        """
        return len(self)

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

    @property
    def reach(self) -> float:
        """Return the number of the wrapped samples."""
        return self._samples.reach

    def batch(self, indices: Sequence[int]) -> Batch:
        """Forward to the wrapped samples."""
        return self._samples.batch(indices)
