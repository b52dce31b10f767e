"""The largest batch whose training step fits in a number of bytes, by simulation alone."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from xconv_bench.amounts import format_bytes
from xconv_bench.configuration import Configuration
from xconv_bench.errors import NothingFits
from xconv_bench.events import Event, Message, joined
from xconv_bench.measurement.batch_search import (
    NEVER,
    Refused,
    largest_batch,
    limit,
    words_on_refusals,
)
from xconv_bench.measurement.counting import Simulation
from xconv_bench.measurement.failures import may_depend_on_batch
from xconv_bench.models.messages import reason
from xconv_bench.naming import model_words

MOST_ELEMENTS = 2**31 - 1
"""The most elements of a tensor: many CUDA kernels count them in 32 bits."""

_REMEDY = "raise the budget or take smaller images"


@dataclass(frozen=True)
class LargestBatch:
    """Yields ``max_batch_size``, at most ``most``, its ``simulated_peak_bytes`` and ``limited_by``.

    The peak is at most ``budget_bytes``, and no tensor has more than ``MOST_ELEMENTS``; of the
    next size that the network takes that is not so, which was simulated too, unless there is none
    up to ``most``. ``limited_by`` is as ``limit`` has it. ``message`` names the first size that the
    network refuses, where it was asked to take some that it does. Raises MemoryError where not even
    the smallest batch fits, and BenchError where the network takes none.
    """

    configuration: Configuration
    budget_bytes: int
    most: int

    def __call__(self) -> Iterator[Event]:
        """Look for the largest batch."""
        steps = _Steps(self.configuration)
        found = largest_batch(steps.peak, self.budget_bytes, self.most)
        if found.size == 0:
            raise NothingFits(
                f"{self.configuration.method} {model_words(self.configuration.model)} needs "
                f"{format_bytes(found.peak)} for a batch of {_samples(found.beyond)}, and there "
                f"are {format_bytes(self.budget_bytes)}: {_REMEDY}"
            )
        yield {
            "max_batch_size": found.size,
            "simulated_peak_bytes": found.peak,
            "limited_by": limit(found, steps.too_many_elements),
        }
        yield Message(joined(steps.message(), words_on_refusals(found)))


def _samples(size: int | None) -> str:
    return "one sample" if size == 1 else f"{size} samples, the fewest that it takes"


class _Steps:
    """Simulated steps of one network with one batch after another."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._simulation: Simulation | None = None
        self.too_many_elements: set[int] = set()

    def peak(self, batch_size: int) -> int:
        try:
            if self._simulation is None:
                first = replace(self._configuration, batch_size=batch_size)
                self._simulation = Simulation(first)
            counted = self._simulation.count(batch_size)
        except Exception as error:
            if not may_depend_on_batch(error):
                raise
            raise Refused(reason(error)) from error
        if counted.largest_elements > MOST_ELEMENTS:
            self.too_many_elements.add(batch_size)
            return NEVER
        return counted.peak_bytes

    def message(self) -> str:
        """Return the remark of the method on its network."""
        return "" if self._simulation is None else str(self._simulation.facts()["message"])
