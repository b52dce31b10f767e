"""The simulation of one configuration, a task of its own: what it dies of kills no measurement."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from xconv_bench.configuration import Configuration
from xconv_bench.measurement.counting import Count, Simulation

COUNT = "count"
"""Under this name tasks yield what they counted: it is no column, but is compared with another."""


@dataclass(frozen=True)
class Simulated:
    """Yields the columns that simulation fills, the size of the network, and ``COUNT``."""

    configuration: Configuration

    def __call__(self) -> Iterator[dict[str, Any]]:
        """Simulate. Raises what the network raises, Unsupported where it cannot be simulated."""
        yield simulate(self.configuration)


def simulate(configuration: Configuration) -> dict[str, Any]:
    """Return ``simulated_peak_bytes``, ``saved_bytes``, the network's size and ``COUNT``."""
    simulation = Simulation(configuration)
    counted: Count = simulation.count(configuration.batch_size)
    return {
        "simulated_peak_bytes": counted.peak_bytes,
        "saved_bytes": counted.saved_bytes,
        **simulation.facts(),
        COUNT: counted,
    }
