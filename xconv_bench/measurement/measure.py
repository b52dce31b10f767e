"""All meters over one configuration."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from xconv_bench.configuration import SIMULATED, Configuration
from xconv_bench.errors import Unsupported
from xconv_bench.measurement.counting import count, simulate
from xconv_bench.measurement.gradient_error import gradient_error
from xconv_bench.measurement.peaks import step_peaks
from xconv_bench.measurement.training import prepare, remark
from xconv_bench.meters.clock import time_steps
from xconv_bench.meters.waiting import CoreWait
from xconv_bench.methods import METHODS
from xconv_bench.models.messages import reason

Readings = dict[str, Any]


@dataclass(frozen=True)
class Measurement:
    """What is to be measured of one configuration, with how many steps on the clock."""

    configuration: Configuration
    timed_steps: int = 3

    def __call__(self) -> Iterator[Readings]:
        """Columns of the row, some at a time, each as soon as it is known.

        ``message`` may come several times. Raises what the network raises.
        """
        if self.configuration.device == SIMULATED:
            yield simulate(self.configuration)
            return
        simulated, problem = _try_to_simulate(self.configuration)
        yield simulated
        training = prepare(self.configuration)
        yield training.size()
        training.step()
        # Not earlier: a network that cannot be trained cannot be simulated, for the same reason.
        yield {"message": problem}
        yield {"message": remark(training, self.configuration)}
        yield step_peaks(training.step, self.configuration.device)
        # What inductor compiles allocates past those who look on.
        if METHODS[self.configuration.method].is_simulated or self.configuration.device == "cpu":
            yield count(training)
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
        yield gradient_error(self.configuration, samples)


def _try_to_simulate(configuration: Configuration) -> tuple[Readings, str]:
    """The simulated peak, or why there is none: some networks can be trained, not simulated."""
    try:
        return {"simulated_peak_bytes": simulate(configuration)["simulated_peak_bytes"]}, ""
    except Unsupported as error:
        return {}, str(error)
    except Exception as error:
        return {}, f"simulated: {reason(error)}"
