"""The largest batch whose training step fits in a number of bytes, by simulation alone."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from xconv_bench.configuration import Configuration
from xconv_bench.errors import BenchError
from xconv_bench.measurement.counting import simulate

Peak = Callable[[int], int]
"""From a batch size to the peak of a training step, in bytes."""

_GROWTH = 4  # simulating many samples takes as long as simulating few
_MIB = 2**20
_REMEDY = "raise the budget or take smaller images"


@dataclass(frozen=True)
class LargestBatch:
    """Yields ``batch_size``, at most ``most``, and its ``simulated_peak_bytes``.

    The peak is at most ``budget_bytes``; that of one sample more was simulated too and is not,
    unless the batch size is ``most``. Raises BenchError where not even one sample fits, or where
    it would and cannot be trained alone.
    """

    configuration: Configuration
    budget_bytes: int
    most: int

    def __call__(self) -> Iterator[dict[str, Any]]:
        """Search."""
        batch_size, peak = largest_batch(self._peak, self.budget_bytes, self.most)
        if batch_size == 0:
            raise BenchError(
                f"{self.configuration.method} {self.configuration.model} needs "
                f"{peak / _MIB:.1f} MiB for a batch of one sample, and there are "
                f"{self.budget_bytes / _MIB:.1f} MiB: {_REMEDY}"
            )
        yield {"batch_size": batch_size, "simulated_peak_bytes": peak}

    def _peak(self, batch_size: int) -> int:
        try:
            readings = simulate(replace(self.configuration, batch_size=batch_size))
        except ValueError as error:
            if batch_size > 1:
                raise
            raise BenchError(
                f"a batch of one sample, the most that may fit, cannot train "
                f"{self.configuration.model} ({error}): {_REMEDY}"
            ) from error
        peak: int = readings["simulated_peak_bytes"]
        return peak


def largest_batch(peak: Peak, budget_bytes: int, most: int) -> tuple[int, int]:
    """The largest batch size in 1..``most`` that fits, and its peak; (0, peak of 1) if none does.

    Peaks are taken to grow with the batch size, and to be nearly affine in it.
    """
    peaks: dict[int, int] = {}

    def is_small_enough(size: int) -> bool:
        peaks[size] = peak(size)
        return peaks[size] <= budget_bytes

    # Not from 1: batch normalisation of one pixel cannot be trained with a single sample.
    fits, size = 0, min(2, most)
    while fits < most and is_small_enough(size):
        fits, size = size, min(_GROWTH * size, most)
    too_large = size if fits < most else most + 1
    for attempt in itertools.count(1):
        if too_large - fits == 1:
            break
        size = _between(fits, too_large, peaks, budget_bytes, bisect=attempt % 3 == 0)
        if is_small_enough(size):
            fits = size
        else:
            too_large = size
    return fits, peaks[fits or 1]


def _between(
    fits: int, too_large: int, peaks: dict[int, int], budget_bytes: int, bisect: bool
) -> int:
    """Where a straight line meets the budget; in the middle, where the line has misled before."""
    if fits == 0:
        return 1
    if bisect:
        return (fits + too_large) // 2
    rise = peaks[too_large] - peaks[fits]
    guess = fits + (budget_bytes - peaks[fits]) * (too_large - fits) // rise
    return max(guess, fits + 1)
