"""Memory of a training step counted tensor by tensor: really computed, or simulated."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from torch._subclasses.fake_tensor import FakeTensorMode

from xconv_bench.configuration import Configuration
from xconv_bench.errors import Unsupported
from xconv_bench.measurement.training import Training, prepare_simulated, remark, simulated_samples
from xconv_bench.meters.live import LiveMeter
from xconv_bench.meters.saved import SavedMeter
from xconv_bench.methods import METHODS


def count(training: Training) -> dict[str, int]:
    """``live_peak_bytes`` and ``saved_bytes`` of a step that is not the first.

    Gradients of the step before are there until ``zero_grad``, as they are in training.
    """
    readings, _ = _count(training)
    return readings


def _count(training: Training) -> tuple[dict[str, int], int]:
    """The same, and the elements of the largest tensor."""
    live = LiveMeter(training.batch.input.device)
    live.track(training.batch)
    live.track_model(training.model)
    live.reset_peak()
    saved = SavedMeter(training.state())
    with live:
        with saved:
            loss = training.forward()
        readings = saved.reading
        training.zero_grad()
        training.backward(loss)
    return {**live.reading, **readings}, live.largest_elements


class Simulation:
    """Training steps of a network with tensors that have a shape and no contents.

    The same count as ``count``; nothing is computed or allocated. The network is built once, and
    has the gradients of a step with the batch of the configuration.
    """

    def __init__(self, configuration: Configuration) -> None:
        if not METHODS[configuration.method].is_simulated:
            raise Unsupported(f"{configuration.method} cannot be simulated, only really run")
        self._mode = FakeTensorMode(allow_non_fake_inputs=True)
        self._configuration = configuration
        self._training = prepare_simulated(configuration, self._mode)
        with self._mode:
            self._training.step()

    def count(self, batch_size: int) -> dict[str, Any]:
        """``simulated_peak_bytes``, ``saved_bytes``, ``largest_elements`` of a further step."""
        with self._mode:
            samples = self._training.batch
            if batch_size != len(samples.input):
                configuration = replace(self._configuration, batch_size=batch_size)
                samples = simulated_samples(configuration)
            readings, largest = _count(replace(self._training, batch=samples))
        return {
            "simulated_peak_bytes": readings["live_peak_bytes"],
            "saved_bytes": readings["saved_bytes"],
            "largest_elements": largest,
        }

    @contextmanager
    def entered(self) -> Iterator[Training]:
        """The network with its batch; inside, what it computes has a shape and no contents."""
        with self._mode:
            yield self._training

    def facts(self) -> dict[str, Any]:
        """Size of the network, and the method's ``message``."""
        return {
            **self._training.size(),
            "message": remark(self._training, self._configuration),
        }


def simulate(configuration: Configuration) -> dict[str, Any]:
    """``simulated_peak_bytes``, ``saved_bytes`` and the size of the network."""
    simulation = Simulation(configuration)
    readings = simulation.count(configuration.batch_size)
    del readings["largest_elements"]
    return {**readings, **simulation.facts()}
