"""The largest batch whose training step fits in a number of bytes, by simulation alone."""

import itertools
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any

from xconv_bench.configuration import Configuration
from xconv_bench.errors import BenchError
from xconv_bench.measurement.counting import Simulation

Peak = Callable[[int], int]
"""From a batch size to the peak of a training step, in bytes."""

MOST_ELEMENTS = 2**31 - 1
"""Of a tensor: many CUDA kernels count them in 32 bits."""

_GROWTH = 16  # simulating many samples takes as long as simulating few
NEVER = 2**62
"""The peak of a step that cannot be."""

_MIB = 2**20
_REMEDY = "raise the budget or take smaller images"


@dataclass(frozen=True)
class LargestBatch:
    """Yields ``max_batch_size``, at most ``most``, its ``simulated_peak_bytes`` and ``limited_by``.

    The peak is at most ``budget_bytes``, and no tensor has more than ``MOST_ELEMENTS``; of one
    sample more that is not so, which was simulated too, unless the batch size is ``most``.
    ``limited_by`` is ``"memory"``, ``"elements"`` or ``"max"``. Raises MemoryError where not even
    one sample fits, and BenchError where it would and cannot be trained alone.
    """

    configuration: Configuration
    budget_bytes: int
    most: int

    def __call__(self) -> Iterator[dict[str, Any]]:
        """Search."""
        steps = _Steps(self.configuration, self.most)
        batch_size, peak = largest_batch(steps.peak, self.budget_bytes, self.most)
        if batch_size == 0:
            raise MemoryError(
                f"{self.configuration.method} {self.configuration.model} needs "
                f"{peak / _MIB:.1f} MiB for a batch of one sample, and there are "
                f"{self.budget_bytes / _MIB:.1f} MiB: {_REMEDY}"
            )
        yield {
            "max_batch_size": batch_size,
            "simulated_peak_bytes": peak,
            "limited_by": limit(batch_size, self.most, steps.too_many_elements),
            "message": steps.message(),
        }


def limit(batch_size: int, most: int, too_many_elements: Collection[int]) -> str:
    """Why the largest batch is no larger: ``"memory"``, ``"elements"`` or ``"max"``."""
    if batch_size == most:
        return "max"
    return "elements" if batch_size + 1 in too_many_elements else "memory"


class _Steps:
    """Simulated steps of one network with one batch after another."""

    def __init__(self, configuration: Configuration, most: int) -> None:
        self._configuration = configuration
        self._simulation: Simulation | None = None
        # Not 1: batch normalisation of one pixel cannot be trained with a single sample.
        self._first = min(2, most)
        self.too_many_elements: set[int] = set()

    def peak(self, batch_size: int) -> int:
        try:
            if self._simulation is None:
                first = replace(self._configuration, batch_size=self._first)
                self._simulation = Simulation(first)
            counted = self._simulation.count(batch_size)
        except ValueError as error:
            if batch_size > 1:
                raise
            raise BenchError(
                f"a batch of one sample, the most that may fit, cannot train "
                f"{self._configuration.model} ({error}): {_REMEDY}"
            ) from error
        if counted.largest_elements > MOST_ELEMENTS:
            self.too_many_elements.add(batch_size)
            return NEVER
        return counted.peak_bytes

    def message(self) -> str:
        """What the method says of its network."""
        return "" if self._simulation is None else str(self._simulation.facts()["message"])


def largest_batch(peak: Peak, budget_bytes: int, most: int) -> tuple[int, int]:
    """The largest batch size in 1..``most`` that fits, and its peak; (0, peak of 1) if none does.

    Peaks are taken to grow with the batch size, and to be nearly affine in it.
    """
    peaks: dict[int, int] = {}
    fits, too_large, size = 0, most + 1, min(2, most)
    for attempt in itertools.count(1):
        peaks[size] = peak(size)
        if peaks[size] <= budget_bytes:
            fits = size
        else:
            too_large = size
        if too_large - fits == 1:
            return fits, peaks[fits or 1]
        # Not always by a line: where it misleads, halving and multiplying still lead somewhere.
        if fits == 0:
            size = 1
        elif too_large in peaks:
            size = _between(fits, too_large, peaks, budget_bytes, is_straight=attempt % 3 != 2)
        else:
            size = min(_beyond(fits, peaks, budget_bytes, is_straight=attempt % 3 != 1), most)
    raise AssertionError("every attempt narrows the range")


def _between(
    fits: int, too_large: int, peaks: dict[int, int], budget_bytes: int, is_straight: bool
) -> int:
    """Where the line through both meets the budget, or the middle."""
    if not is_straight or peaks[too_large] == NEVER:
        return (fits + too_large) // 2
    rise = peaks[too_large] - peaks[fits]
    guess = fits + (budget_bytes - peaks[fits]) * (too_large - fits) // rise
    return max(guess, fits + 1)


def _beyond(fits: int, peaks: dict[int, int], budget_bytes: int, is_straight: bool) -> int:
    """Where the line through the last two that fit meets the budget, or several times as many."""
    before = max((size for size in peaks if size < fits), default=None)
    if before is None or not is_straight or peaks[fits] <= peaks[before]:
        return _GROWTH * fits
    slope = (peaks[fits] - peaks[before]) / (fits - before)
    return max(fits + int((budget_bytes - peaks[fits]) / slope), fits + 1)
