"""All meters over one configuration."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from xconv.budget import plans_kept
from xconv_bench.configuration import Configuration
from xconv_bench.errors import BenchError
from xconv_bench.events import Event, Message, Readings, joined, told
from xconv_bench.measurement.agreement import learning_moves
from xconv_bench.measurement.compiled import has_compiled, is_compiled
from xconv_bench.measurement.counting import Count, count
from xconv_bench.measurement.failures import is_out_of_memory
from xconv_bench.measurement.function_remark import remark_on_functions
from xconv_bench.measurement.gradient_error import gradient_error
from xconv_bench.measurement.learning import learns
from xconv_bench.measurement.peaks import step_peaks
from xconv_bench.measurement.simulated import COUNT
from xconv_bench.measurement.training import Training, prepare, remark
from xconv_bench.meters.clock import time_steps
from xconv_bench.meters.waiting import CoreWait
from xconv_bench.methods import find_method
from xconv_bench.models.messages import reason


@dataclass(frozen=True)
class Measurement:
    """Reads all meters of one configuration, with ``timed_steps`` steps on the clock."""

    configuration: Configuration
    timed_steps: int = 3

    def __call__(self) -> Iterator[Event]:
        """Yield columns of the row, each as soon as it is known, and ``COUNT``.

        Messages may come several times, also in place of a meter's reading. Raises what the
        network raises in a step.
        """
        training = prepare(self.configuration)
        yield training.size()
        unlearnt = self._before_learning(training)
        training.step()
        yield Message(remark(training, self.configuration))
        yield from told(step_peaks(training.step, self.configuration.device))
        yield from told(_attempt("live", partial(self._count, training, unlearnt)))
        wait = CoreWait()
        yield time_steps(
            training.forward,
            training.backward,
            training.zero_grad,
            self.configuration.device,
            steps=self.timed_steps,
            warmup=1,
        )
        yield from told(wait.reading())
        del training  # another takes its place on the device
        error = partial(gradient_error, self.configuration)
        yield from told(_attempt("gradient error", error))

    def _before_learning(self, training: Training) -> Count | None:
        """Return the count of a step with bits divided as in a simulation, which sees no spectra.

        Return None where the method learns nothing, or the step is not compared.
        """
        if not learns(training.model) or self.configuration.device != "cpu":
            return None
        with plans_kept():
            training.step()
        counted: Count | None = _attempt("live", partial(self._count, training)).get(COUNT)
        return counted

    def _count(self, training: Training, unlearnt: Count | None = None) -> Readings:
        # Kernels that inductor compiles allocate past those who look on.
        is_plain = find_method(self.configuration.method).is_simulated
        if is_plain and (is_compiled(training.model) or has_compiled()):
            return {"message": "live: not counted, since compiled kernels allocate unseen"}
        if not is_plain and self.configuration.device != "cpu":
            return {}
        counted = count(training)
        return {
            "live_peak_bytes": counted.peak_bytes,
            "saved_bytes": counted.saved_bytes,
            "message": joined(
                remark_on_functions(counted.functions, self.configuration),
                "" if unlearnt is None else learning_moves(unlearnt, counted),
            ),
            COUNT: unlearnt or counted,
        }


def _attempt(what: str, read: Callable[[], Readings]) -> Readings:
    """Return the readings, or a message that says why there are none: it costs no row."""
    try:
        return read()
    except Exception as error:
        if is_out_of_memory(error):
            raise
        said = str(error) if isinstance(error, BenchError) else reason(error)
        return {"message": f"{what}: {said}"}
