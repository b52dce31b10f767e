"""Whether simulations of a network and a method can be trusted: one cheap step is really made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from xconv.budget import plans_kept
from xconv_bench.configuration import SIMULATED, Configuration
from xconv_bench.errors import BenchError
from xconv_bench.events import Event, Message
from xconv_bench.measurement.agreement import disagreement
from xconv_bench.measurement.counting import Count, Simulation, count
from xconv_bench.measurement.training import prepare

MOST_BYTES = 256 * 2**20
"""The most bytes of a cheap step, beside the network and its gradients."""

_MOST_NETWORK_BYTES = 2 * 2**30
_MOST_OPERATIONS = 3e9
"""The most operations of convolutions and matrix products: a fraction of a second on a core."""

_IMAGE_SIZES = (32, 64, 96, 128, 224)
BATCH_SIZES = (8, 2)
"""Not 1: batch normalisation of one pixel cannot be trained with a single sample."""


@dataclass(frozen=True)
class CrossCheck:
    """Yields ``doubt``: empty where a real step on the CPU takes what the simulated one does.

    The step is of the smallest image that the network takes. Yields ``message`` and nothing else
    where no size is both accepted and cheap.
    """

    configuration: Configuration

    def __call__(self) -> Iterator[Event]:
        """Simulate a small step and make it. Raises what the network raises in the real one."""
        try:
            cell, simulated = _cheap(self.configuration)
        except TooLarge as error:
            yield Message(f"not cross-checked: {error}")
            return
        training = prepare(cell)
        with plans_kept():  # as in the simulation
            training.step()
        said = disagreement(simulated, count(training))
        where = f"batch {cell.batch_size}, {cell.image_size} px on the CPU"
        yield {"doubt": f"{said} ({where})" if said else ""}


class TooLarge(BenchError):
    """Raised where no real step is cheap."""


def check_is_cheap(counted: Count, operations: int) -> None:
    """Raise TooLarge where a step is not to be made only to confirm a simulation."""
    if counted.start_bytes > _MOST_NETWORK_BYTES:
        raise TooLarge(f"the network alone takes {counted.start_bytes / 2**30:.1f} GiB")
    if counted.peak_bytes - counted.start_bytes > MOST_BYTES:
        raise TooLarge(f"a small step takes more than {MOST_BYTES / 2**20:.0f} MiB")
    if operations > _MOST_OPERATIONS:
        raise TooLarge("a small step would take too long")


def _cheap(configuration: Configuration) -> tuple[Configuration, Count]:
    """Return a small cell that the network accepts, and its count; raise as the last one did."""
    own = configuration.image_size, configuration.batch_size
    sizes = dict.fromkeys(sorted((*(size for size in _IMAGE_SIZES if size < own[0]), own[0])))
    failure: Exception | None = None
    for image_size in sizes:
        for batch_size in dict.fromkeys((*BATCH_SIZES, own[1])):
            cell = replace(
                configuration, image_size=image_size, batch_size=batch_size, device=SIMULATED
            )
            try:
                return cell, _count(cell)
            except TooLarge:
                if batch_size != BATCH_SIZES[0]:
                    raise  # larger images cost more
            except Exception as error:
                failure = error
    assert failure is not None
    raise failure


def _count(cell: Configuration) -> Count:
    simulation = Simulation(cell)
    counted = simulation.count(cell.batch_size)
    check_is_cheap(counted, simulation.operations(cell.batch_size))
    return counted
