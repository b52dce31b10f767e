"""Memory of a training step counted tensor by tensor: really computed, or simulated."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from torch._subclasses.fake_tensor import FakeTensorMode

from xconv.kept import KeptMeter
from xconv.spectrum.budget import plans_kept
from xconv_bench.configuration import Configuration
from xconv_bench.errors import Unsupported
from xconv_bench.measurement.simulating import simulating
from xconv_bench.measurement.training import Training, prepare_simulated, remark, simulated_samples
from xconv_bench.meters.live import LiveMeter
from xconv_bench.meters.saved import SavedMeter
from xconv_bench.methods import find_method

Result = TypeVar("Result")


@dataclass(frozen=True)
class Count:
    """What was counted of one step.

    ``peak_bytes`` is the most that lived at once, ``start_bytes`` what was there before the step
    (parameters, buffers, gradients, the batch), ``saved_bytes`` what autograd kept,
    ``largest_elements`` the elements of the largest tensor, ``allocated_bytes`` what each operator
    allocated over the whole step, by its name.
    """

    peak_bytes: int
    start_bytes: int
    saved_bytes: int
    largest_elements: int
    allocated_bytes: dict[str, int]


def count(training: Training) -> Count:
    """Count a step that is not the first.

    Gradients of the step before are there until ``zero_grad``, as they are in training.
    """
    live, saved = LiveMeter(training.batch.input.device), SavedMeter(training.state())
    start, kept = watch(training, live, saved, lambda: saved.total_bytes)
    return Count(live.peak_bytes, start, kept, live.largest_elements, dict(live.allocated_bytes))


def watch(
    training: Training, live: LiveMeter, saved: KeptMeter, turn: Callable[[], Result]
) -> tuple[int, Result]:
    """Let two meters watch a step; return the bytes before it, and what ``turn`` returns.

    ``turn`` is called between the forward and the backward pass.
    """
    live.track(training.batch)
    live.track_model(training.model)
    live.reset_peak()
    start = live.live_bytes
    with live, plans_kept():
        with saved:
            loss = training.forward()
        result = turn()
        training.zero_grad()
        training.backward(loss)
    return start, result


class Simulation:
    """Training steps of a network with tensors that have a shape and no contents.

    The same count as ``count``; nothing is computed or allocated. The network is built once, and
    has the gradients of a step with the batch of the configuration.
    """

    def __init__(self, configuration: Configuration) -> None:
        if not find_method(configuration.method).is_simulated:
            raise Unsupported(f"{configuration.method} cannot be simulated, only really run")
        self._mode = FakeTensorMode(allow_non_fake_inputs=True)
        self._configuration = configuration
        self._training = prepare_simulated(configuration, self._mode)
        with self.entered() as training:
            training.step()

    def count(self, batch_size: int) -> Count:
        """Count a further step with so many samples."""
        with self.entered() as training:
            if batch_size == len(training.batch.input):
                return count(training)
            samples = simulated_samples(replace(self._configuration, batch_size=batch_size))
            return count(replace(training, batch=samples))

    @contextmanager
    def entered(self) -> Iterator[Training]:
        """The network with its batch; inside, what it computes has a shape and no contents."""
        with simulating(self._mode):
            yield self._training

    def facts(self) -> dict[str, Any]:
        """Size of the network, and the method's ``message``."""
        return {
            **self._training.size(),
            "message": remark(self._training, self._configuration),
        }
