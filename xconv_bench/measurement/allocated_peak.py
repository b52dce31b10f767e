"""What a training step really allocates on a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from xconv.contents import parameters
from xconv_bench.configuration import Configuration
from xconv_bench.measurement.counting import Simulation
from xconv_bench.measurement.training import prepare
from xconv_bench.meters.allocator import AllocatorMeter


@dataclass(frozen=True)
class AllocatedPeak:
    """Yields ``largest_elements``, ``allocated_peak_bytes`` and ``trained_steps``.

    A first step warms up, as in the paper's protocol; the peak is that of the ``steps`` after it.
    Nothing is allocated where a tensor would have more than ``most_elements``: then the first
    column is all. ``trains`` puts a step of plain SGD behind each.
    """

    configuration: Configuration
    most_elements: int
    steps: int = 1
    trains: bool = False

    def __call__(self) -> Iterator[dict[str, Any]]:
        """Measure."""
        elements = _largest_elements(self.configuration)
        yield {"largest_elements": elements}
        if elements is not None and elements > self.most_elements:
            return
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


def _largest_elements(configuration: Configuration) -> int | None:
    """None where the network cannot be simulated: the kernels have the last word then."""
    try:
        elements: int = Simulation(configuration).count(configuration.batch_size)[
            "largest_elements"
        ]
    except Exception:
        return None
    return elements
