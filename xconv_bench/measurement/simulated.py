"""The simulation of one configuration, work of its own: its death kills no measurement."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from xconv_bench.configuration import Configuration
from xconv_bench.events import Event, joined, told
from xconv_bench.measurement.counting import Count, Simulation
from xconv_bench.measurement.function_remark import remark_on_functions

COUNT = "count"
"""The reading under which a count is yielded: no column, but compared with another."""


@dataclass(frozen=True)
class SimulationWork:
    """Yields the columns that simulation fills, the size of the network, and ``COUNT``."""

    configuration: Configuration

    def __call__(self) -> Iterator[Event]:
        """Simulate. Raises what the network raises, Unsupported where it cannot be simulated."""
        yield from told(simulate(self.configuration))


def simulate(configuration: Configuration) -> dict[str, Any]:
    """Return ``simulated_peak_bytes``, ``saved_bytes``, the network's size and ``COUNT``."""
    simulation = Simulation(configuration)
    counted: Count = simulation.count(configuration.batch_size)
    facts = simulation.facts()
    functions = remark_on_functions(counted.functions, configuration)
    return {
        "simulated_peak_bytes": counted.peak_bytes,
        "saved_bytes": counted.saved_bytes,
        **facts,
        "message": joined(facts["message"], functions),
        COUNT: counted,
    }
