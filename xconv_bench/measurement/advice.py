"""A plan for one network and one budget of peak memory, or one error.

Variances are measured in real steps, bytes in simulated ones.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from xconv.planning.advice import Advice, Costs
from xconv.planning.candidates import planned_modules
from xconv.planning.measuring import (
    Steps,
    Variances,
    measure_bytes,
    measure_error,
    measure_variances,
)
from xconv_bench.configuration import AdviceConfiguration
from xconv_bench.data import Batch
from xconv_bench.data.batches import arguments
from xconv_bench.data.minibatches import minibatch_apart, random_minibatches
from xconv_bench.errors import BenchError
from xconv_bench.events import Event, Message, Progress, Rows
from xconv_bench.measurement.comparison import GradientComparison, Start
from xconv_bench.measurement.counting import Simulation
from xconv_bench.measurement.plan_search import PlanSearch
from xconv_bench.results.schema import ALL_LAYERS

MOST_SAMPLES = 16
"""Samples of the batch in which variances are measured: their ratios hold for larger batches."""

_MEASURING_REPEATS = 8
"""Seeds with which the error of a plan is measured."""


@dataclass(frozen=True)
class AdviceMeasurement:
    """Writes the plan to ``path``; yields rows of ``advice``, a row a module and one for all.

    Raises BenchError where no plan fits, with the smallest peak and the batch that would fit.
    """

    configuration: AdviceConfiguration
    start: Start
    path: Path

    def __call__(self) -> Iterator[Event]:
        """Measure, choose and write."""
        simulation = Simulation(self.configuration.as_exact())
        with simulation.entered() as training:
            families = planned_modules(training.model)
            kept = measure_bytes(training.model, _positional(training.batch), families)
        comparison = GradientComparison(self.configuration.as_exact(), self.start)
        yield Message(comparison.remark_on_inputs())
        steps = self._steps(comparison)
        repeats = self.configuration.repeats
        measuring = measure_variances(steps.choosing, families, repeats, steps.earlier)
        variances = yield from _told(measuring)
        search = PlanSearch(simulation, Costs(families, kept, variances))
        budget, error = self.configuration.memory_budget_bytes, self.configuration.target_error
        found = search.least_memory(error or 0.0) if budget is None else search.within(budget)
        advice = search.advice(found)
        advice.plan.write(self.path)
        whole = {
            **_whole(advice),
            "predicted_peak_bytes": found.peak,
            "relative_error": measure_error(
                steps.judging, advice.plan, _MEASURING_REPEATS, steps.earlier
            ),
        }
        yield Rows("advice", [*map(_row, advice.lines), whole])

    def _steps(self, comparison: GradientComparison) -> _ThreeSteps:
        """Return steps of the exact network in which settings are measured."""
        cell = comparison.configuration
        samples, size = comparison.samples, min(cell.batch_size, MOST_SAMPLES)
        (choosing,) = random_minibatches(len(samples), size, count=1, seed=cell.seed)
        earlier = minibatch_apart(samples, size, cell.seed, choosing)
        judging = minibatch_apart(samples, size, cell.seed, [*choosing, *earlier])
        return _ThreeSteps(
            *(
                _step(comparison, samples.batch(numbers), cell.seed)
                for numbers in (choosing, earlier, judging)
            )
        )


class _ThreeSteps(NamedTuple):
    """Steps of one network with three batches, apart from each other where the data allow it.

    Settings are chosen by their errors with one batch, after schemes have learnt from an earlier
    one; the error of the plan is that with a batch which has decided nothing.
    """

    choosing: Steps
    earlier: Steps
    judging: Steps


def _positional(batch: Batch) -> tuple[Any, ...]:
    positional, named = arguments(batch.input)
    if named:
        raise BenchError(
            "advise takes no inputs by name: let --inputs return a tuple, in the order of the "
            "arguments of forward"
        )
    return positional


def _step(comparison: GradientComparison, batch: Batch, seed: int) -> Steps:
    def loss(output: Any) -> Tensor:
        return comparison.objective.loss(output, batch.target)

    return Steps(comparison.model, _positional(batch), loss, seed)


def _told(
    measuring: Generator[float, None, Variances],
) -> Generator[Event, None, Variances]:
    """Yield the progress of what is measured, as a worker tells it; return the variances."""
    while True:
        try:
            yield Progress(next(measuring))
        except StopIteration as end:
            variances: Variances = end.value
            return variances


def _row(line: Any) -> dict[str, Any]:
    return {
        "layer": line.name or "(model)",
        "family": line.family,
        "setting": "exact" if line.setting is None else str(line.setting),
        "saved_bytes": line.bytes,
        "exact_saved_bytes": line.exact_bytes,
        "predicted_error": sqrt(line.variance),
    }


def _whole(advice: Advice) -> dict[str, Any]:
    return {
        "layer": ALL_LAYERS,
        "saved_bytes": advice.saved_bytes,
        "exact_saved_bytes": advice.exact_bytes,
        "predicted_error": advice.error,
    }
