"""All meters over one configuration."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from xconv_bench.configuration import Configuration
from xconv_bench.errors import BenchError
from xconv_bench.measurement.compiled import has_compiled, is_compiled
from xconv_bench.measurement.counting import count
from xconv_bench.measurement.failures import is_out_of_memory
from xconv_bench.measurement.gradient_error import gradient_error
from xconv_bench.measurement.peaks import step_peaks
from xconv_bench.measurement.simulated import COUNT
from xconv_bench.measurement.training import Training, prepare, remark
from xconv_bench.meters.clock import time_steps
from xconv_bench.meters.waiting import CoreWait
from xconv_bench.methods import find_method
from xconv_bench.models.messages import reason

Readings = dict[str, Any]


@dataclass(frozen=True)
class Measurement:
    """What is to be measured of one configuration, with how many steps on the clock."""

    configuration: Configuration
    timed_steps: int = 3

    def __call__(self) -> Iterator[Readings]:
        """Columns of the row, some at a time, each as soon as it is known; and ``COUNT``.

        ``message`` may come several times, also in place of what a meter could not read. Raises
        what the network raises in a step.
        """
        training = prepare(self.configuration)
        yield training.size()
        training.step()
        yield {"message": remark(training, self.configuration)}
        yield step_peaks(training.step, self.configuration.device)
        yield _attempt("live", partial(self._count, training))
        wait = CoreWait()
        yield time_steps(
            training.forward,
            training.backward,
            training.zero_grad,
            self.configuration.device,
            steps=self.timed_steps,
            warmup=1,
        )
        yield wait.reading()
        samples = training.batch
        del training  # another takes its place on the device
        yield _attempt("gradient error", partial(gradient_error, self.configuration, samples))

    def _count(self, training: Training) -> Readings:
        # What inductor compiles allocates past those who look on.
        is_plain = find_method(self.configuration.method).is_simulated
        if is_plain and (is_compiled(training.model) or has_compiled()):
            return {"message": "live: not counted, since compiled kernels allocate unseen"}
        if not is_plain and self.configuration.device != "cpu":
            return {}
        counted = count(training)
        return {
            "live_peak_bytes": counted.peak_bytes,
            "saved_bytes": counted.saved_bytes,
            COUNT: counted,
        }


def _attempt(what: str, read: Callable[[], Readings]) -> Readings:
    """What is read, or a message that says why it could not be: it costs no row."""
    try:
        return read()
    except Exception as error:
        if is_out_of_memory(error):
            raise
        said = str(error) if isinstance(error, BenchError) else reason(error)
        return {"message": f"{what}: {said}"}
