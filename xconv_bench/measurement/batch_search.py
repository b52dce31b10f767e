"""The search for the largest batch that fits, among the sizes that a network takes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from xconv_bench.errors import BenchError

PeakOfBatch = Callable[[int], int]
"""From a batch size to the peak of a training step, in bytes; raises ``Refused``."""

NEVER = 2**62
"""The peak of a step that cannot be."""

REACH = 64
"""Sizes in a row that a network may refuse; where it refuses more, it is taken to refuse all."""

_GROWTH = 16  # simulating many samples takes as long as simulating few
_PATIENCE = 6
"""Sizes to look at before a line between two of them is taken to mislead."""


class Refused(Exception):
    """The network does not take a batch of this size; says why."""


@dataclass(frozen=True)
class Found:
    """The largest batch ``size`` that fits with its ``peak``, and what was seen on the way.

    ``beyond`` is the next size that the network takes and that does not fit, None where it takes
    none up to the limit of the search. Where nothing fits, ``size`` is 0 and ``beyond`` the
    smallest size that the network takes, with its peak.
    """

    size: int
    peak: int
    beyond: int | None
    refused: Mapping[int, str]
    is_end: bool
    """Whether the network refuses ``REACH`` sizes in a row behind ``size``."""


def limit(found: Found, too_many_elements: Collection[int]) -> str:
    """Return why the largest batch is no larger.

    ``"memory"``, ``"elements"``, ``"network"``, which takes no larger one, or ``"max"``.
    """
    if found.is_end:
        return "network"
    if found.beyond is None:
        return "max"
    return "elements" if found.beyond in too_many_elements else "memory"


def words_on_refusals(found: Found) -> str:
    """Return which is the first size that the network refuses, and why; often nothing."""
    if not found.refused:
        return ""
    first = min(found.refused)
    return (
        f"the network refuses some batch sizes, which are skipped; the first is {first}: "
        f"{found.refused[first]}"
    )


def largest_batch(peak: PeakOfBatch, budget_bytes: int, most: int, reach: int = REACH) -> Found:
    """Return the largest batch size in 1..``most`` that the network takes and that fits.

    Peaks are taken to grow with the batch size, and to be nearly affine in it. Sizes that are
    refused are skipped, up to ``reach`` in a row. Raises BenchError where all of the first are.
    """
    search = _Search(peak, budget_bytes, most, reach)
    # Not 1: batch normalisation of one pixel cannot be trained with a single sample.
    size = min(2, most)
    for attempt in itertools.count(1):
        search.look(size)
        if search.too_large - search.passed == 1:
            break
        size = search.next(attempt)
    return search.found()


class _Search:
    """The state of a search.

    Up to ``passed`` nothing larger than ``fits`` fits, from ``too_large`` on nothing at all.
    """

    def __init__(self, peak: PeakOfBatch, budget_bytes: int, most: int, reach: int) -> None:
        self._peak, self._budget_bytes, self._most, self._reach = peak, budget_bytes, most, reach
        self._peaks: dict[int, int] = {}
        self._refused: dict[int, str] = {}
        self._is_end = False
        self.fits = self.passed = 0
        self.too_large = most + 1

    def look(self, size: int) -> None:
        """Try ``size``, or the largest below it that the network takes."""
        lowest = max(self.passed, size - self._reach)
        taken = next((n for n in range(size, lowest, -1) if self._takes(n)), None)
        if taken is None and lowest > self.passed:
            self.too_large, self._is_end = lowest + 1, True
        elif taken is None:
            self.passed = size
        elif self._peaks[taken] <= self._budget_bytes:
            self.fits, self.passed = taken, size
        else:
            self.too_large, self._is_end = taken, False
        if not self._peaks and self.passed >= min(self._reach, self._most):
            first = min(self._refused)
            raise BenchError(
                f"{self._refused[first]} (with a batch of {first}, and so with all others up to "
                f"{self.passed})"
            )

    def next(self, attempt: int) -> int:
        """Return the size to look at, between ``passed`` and ``too_large``."""
        # Not always by a line: where it misleads, halving and multiplying still lead somewhere.
        is_straight = attempt < _PATIENCE or attempt % 3 != 0
        if self.fits == 0:
            size = self.passed + 1
        elif self.too_large in self._peaks or self._is_end:
            size = self._between(is_straight)
        else:
            size = self._beyond(is_straight)
        return min(max(size, self.passed + 1), self.too_large - 1)

    def found(self) -> Found:
        """Return what came of it."""
        beyond = self.too_large if self.too_large in self._peaks else None
        size = self.fits or beyond
        assert size is not None  # where nothing is taken, that was said
        return Found(self.fits, self._peaks[size], beyond, self._refused, self._is_end)

    def _takes(self, size: int) -> bool:
        try:
            self._peaks[size] = self._peak(size)
        except Refused as refusal:
            self._refused[size] = str(refusal)
            return False
        return True

    def _between(self, is_straight: bool) -> int:
        """Return where the line through both meets the budget, or the middle."""
        highest = self._peaks.get(self.too_large, NEVER)
        if not is_straight or highest == NEVER:
            return (self.passed + self.too_large) // 2
        lowest = self._peaks[self.fits]
        width = self.too_large - self.fits
        return self.fits + (self._budget_bytes - lowest) * width // (highest - lowest)

    def _beyond(self, is_straight: bool) -> int:
        """Return where the line through the last two meets the budget, or several times as many."""
        fits, peaks = self.fits, self._peaks
        before = max((size for size in peaks if size < fits), default=None)
        if before is None or not is_straight or peaks[fits] <= peaks[before]:
            return _GROWTH * fits
        slope = (peaks[fits] - peaks[before]) / (fits - before)
        return fits + int((self._budget_bytes - peaks[fits]) / slope)
