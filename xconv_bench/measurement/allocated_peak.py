"""The memory that a training step really allocates on a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from xconv.contents import parameters
from xconv_bench.configuration import Configuration
from xconv_bench.events import Event
from xconv_bench.measurement.counting import Simulation
from xconv_bench.measurement.training import prepare
from xconv_bench.meters.allocator import AllocatorMeter


@dataclass(frozen=True)
class LargestElements:
    """Yields ``largest_elements``, those of the largest tensor of a simulated step."""

    configuration: Configuration

    def __call__(self) -> Iterator[Event]:
        """Simulate; raises what the network raises."""
        counted = Simulation(self.configuration).count(self.configuration.batch_size)
        yield {"largest_elements": counted.largest_elements}


@dataclass(frozen=True)
class AllocatedPeak:
    """Yields ``allocated_peak_bytes`` and ``trained_steps``.

    A first step warms up, as in the paper's protocol; the peak is that of the ``steps`` after it.
    ``trains`` puts a step of plain SGD behind each.
    """

    configuration: Configuration
    steps: int = 1
    trains: bool = False

    def __call__(self) -> Iterator[Event]:
        """Measure."""
        training = prepare(self.configuration)
        optimizer = torch.optim.SGD(parameters(training.model), lr=1e-3)
        training.step()
        meter = AllocatorMeter(self.configuration.device)
        with meter:
            for _ in range(self.steps):
                training.step()
                if self.trains:
                    optimizer.step()
        yield {
            "allocated_peak_bytes": meter.reading["allocated_peak_bytes"],
            "trained_steps": self.steps if self.trains else None,
        }
