"""Times of several methods on one network, in turns, so that what disturbs one disturbs all."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from xconv_bench.configuration import Configuration
from xconv_bench.data import Batch
from xconv_bench.errors import Unsupported
from xconv_bench.events import Event, Progress, Readings, Rows, joined
from xconv_bench.measurement.failures import is_out_of_memory
from xconv_bench.measurement.training import Training, prepare, remark
from xconv_bench.meters.clock import collect_step_times
from xconv_bench.meters.waiting import CoreWait, remark_on
from xconv_bench.models.messages import reason
from xconv_bench.statistics.medians import median_interval

PHASES = ("forward", "backward", "step")
WARMUP_STEPS = 2


@dataclass(frozen=True)
class RuntimeMeasurement:
    """Yields rows of ``runtime``, one a configuration, in their order.

    ``configurations`` differ in method and knobs only. In each of the ``rounds`` every one takes a
    step on the same batch, in an order that is drawn anew from the seed. Times are medians over the
    rounds, ratios medians of those to the exact step of the same round, both with 95 % intervals.
    """

    configurations: tuple[Configuration, ...]
    rounds: int

    def __call__(self) -> Iterator[Event]:
        """Measure."""
        runners: list[_Runner] = []
        samples = None  # drawn once: a large batch takes longer to draw than to train with
        for configuration in self.configurations:
            runners.append(_Runner(configuration, samples))
            samples = samples or runners[-1].samples
        order = random.Random(self.configurations[0].seed)
        wait = CoreWait()
        for number in range(self.rounds):
            running = [runner for runner in runners if runner.status == "ok"]
            for runner in order.sample(running, len(running)):
                runner.step()
            yield Progress((number + 1) / self.rounds)
        exact = next((r for r in runners if r.configuration.method == "exact"), None)
        waited = wait.part()
        yield Rows("runtime", [runner.row(exact, waited) for runner in runners])


@dataclass
class _Runner:
    """Runs one configuration and times its steps, until one fails."""

    configuration: Configuration
    samples: Batch | None
    status: str = "ok"
    message: str = ""
    seconds: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in PHASES})
    _training: Training | None = None

    def __post_init__(self) -> None:
        self._attempt(WARMUP_STEPS, is_warmup=True)
        if self.status == "ok" and self._training is not None:
            self.message = remark(self._training, self.configuration)

    def step(self) -> None:
        """Take one more step."""
        self._attempt(1, is_warmup=False)

    def row(self, exact: _Runner | None, waited: float | None) -> Readings:
        """Return the columns behind the configuration; all ``waited`` for so large a part."""
        row: Readings = {"status": self.status, "message": self.message}
        if self.status != "ok":
            return row
        row["message"] = joined(self.message, remark_on(waited))
        row |= {"rounds": len(self.seconds["step"]), "cpu_wait_part": waited}
        for phase in PHASES:
            row |= _columns(f"{phase}_seconds", self.seconds[phase])
            if exact is not None and exact is not self and exact.status == "ok":
                pairs = zip(self.seconds[phase], exact.seconds[phase], strict=True)
                row |= _columns(f"{phase}_ratio", [own / other for own, other in pairs])
        return row

    def _attempt(self, steps: int, is_warmup: bool) -> None:
        try:
            if self._training is None:
                self._training = prepare(self.configuration, self.samples)
            training = self._training
            self.samples = training.batch
            times = collect_step_times(
                training.forward, training.backward, training.zero_grad,
                self.configuration.device, steps=steps, warmup=0,
            )  # fmt: skip
        except (Unsupported, RuntimeError, MemoryError) as error:
            self._training = None
            self.status, self.message = _failure(error)
            return
        if not is_warmup:
            for phase in PHASES:
                self.seconds[phase] += getattr(times, f"{phase}_seconds")


def _failure(error: Exception) -> tuple[str, str]:
    if isinstance(error, Unsupported):
        return "unsupported", str(error)
    return ("oom" if is_out_of_memory(error) else "error"), reason(error)


def _columns(name: str, samples: Sequence[float]) -> Readings:
    value, low, high = median_interval(samples)
    return {name: value, f"{name}_low": low, f"{name}_high": high}
