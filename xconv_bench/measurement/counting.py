"""Memory of a training step counted tensor by tensor: really computed, or simulated."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from xconv.budget import plans_kept
from xconv.kept import KeptMeter
from xconv_bench.configuration import Configuration
from xconv_bench.errors import Unsupported
from xconv_bench.measurement.compiled import has_compiled
from xconv_bench.measurement.simulating import simulating
from xconv_bench.measurement.training import Setup, Training, prepare_simulated, remark, set_up
from xconv_bench.meters.functions import FunctionMeter
from xconv_bench.meters.live import LiveMeter
from xconv_bench.meters.saved import SavedMeter
from xconv_bench.methods import find_method

Result = TypeVar("Result")


@dataclass(frozen=True)
class Count:
    """The memory of one step, counted.

    ``peak_bytes`` is the most that lived at once, ``start_bytes`` what was there before the step
    (parameters, buffers, gradients, the batch), ``saved_bytes`` what autograd kept,
    ``largest_elements`` the elements of the largest tensor, ``allocated_bytes`` what each operator
    allocated over the whole step, by its name, ``functions`` the families of functions that the
    network called and that kept something, by the names of the functions.
    """

    peak_bytes: int
    start_bytes: int
    saved_bytes: int
    largest_elements: int
    allocated_bytes: dict[str, int]
    functions: dict[str, str] = field(default_factory=dict)


def count(training: Training) -> Count:
    """Count a step that is not the first.

    Gradients of the step before are there until ``zero_grad``, as they are in training.
    """
    live, saved = LiveMeter(training.device), SavedMeter(training.state())
    called = FunctionMeter(training.model, saved)
    # Compiled functions would be compiled anew for the mode, and differently.
    with nullcontext() if has_compiled() else called:
        start, kept = watch(training, live, saved, lambda: saved.total_bytes)
    allocated = dict(live.allocated_bytes)
    largest = live.largest_elements
    return Count(live.peak_bytes, start, kept, largest, allocated, called.families)


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

    def __init__(
        self, configuration: Configuration, set_up: Callable[[Configuration], Setup] = set_up
    ) -> None:
        """Build the network by ``set_up``. Raises Unsupported where it cannot be simulated."""
        if not find_method(configuration.method).is_simulated:
            raise Unsupported(f"{configuration.method} cannot be simulated, only really run")
        self._mode = FakeTensorMode(allow_non_fake_inputs=True)
        self._configuration = configuration
        self._setup = set_up(configuration)
        self.batch_size = configuration.batch_size
        self._training = prepare_simulated(configuration, self._mode, self._setup)
        with self.entered() as training:
            training.step()

    def count(self, batch_size: int) -> Count:
        """Count a further step with so many samples."""
        with self.entered() as training:
            return count(self._with(training, batch_size))

    def operations(self, batch_size: int) -> int:
        """Return the floating-point operations of convolutions and matrix products in a step."""
        with self.entered() as training, FlopCounterMode(display=False) as counter:
            self._with(training, batch_size).step()
        return int(counter.get_total_flops())

    @contextmanager
    def entered(self) -> Iterator[Training]:
        """Enter the simulation: inside, computed tensors have a shape and no contents."""
        with simulating(self._mode):
            yield self._training

    def facts(self) -> dict[str, Any]:
        """Return the size of the network, and the method's ``message``."""
        return {
            **self._training.size(),
            "message": remark(self._training, self._configuration),
        }

    def _with(self, training: Training, batch_size: int) -> Training:
        if batch_size == self._configuration.batch_size:
            return training
        return replace(training, batch=self._setup.empty_batch(batch_size))
