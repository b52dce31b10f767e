"""A plan for one network and one budget of peak memory, or one error.

Variances are measured in real steps, bytes in simulated ones. Which modules' bytes are alive at
which moment of a step is seen in a simulated step; what else is alive then is the rest of its
peak. A plan is chosen by that, simulated, and chosen anew by what the simulation said.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any

from torch import Tensor

from xconv import convert
from xconv.planning.advice import Advice, Costs
from xconv.planning.candidates import planned_modules
from xconv.planning.choosing import NoRoomError, Room, choose, smallest, total_variance
from xconv.planning.measuring import (
    Steps,
    Variances,
    measure_bytes,
    measure_error,
    measure_variances,
)
from xconv_bench.configuration import AdviceConfiguration
from xconv_bench.data.minibatches import random_minibatches
from xconv_bench.errors import BenchError
from xconv_bench.measurement.batch_search import Refused, largest_batch
from xconv_bench.measurement.comparison import Comparison, Start
from xconv_bench.measurement.counting import Simulation
from xconv_bench.measurement.failures import may_depend_on_batch
from xconv_bench.measurement.layers import points_of
from xconv_bench.meters.by_layer import BACKWARD, FORWARD, Point
from xconv_bench.models.messages import reason
from xconv_bench.report.units import format_bytes
from xconv_bench.results.columns import ALL_LAYERS

MOST_SAMPLES = 16
"""Samples of the batch in which variances are measured: their ratios hold for larger batches."""

_MEASURING_REPEATS = 8
"""Seeds with which the error of a plan is measured."""

_ROUNDS = 6
"""Plans to choose one after another, from either end."""
_HALVINGS = 8
"""Of the range in which the smallest budget for an error lies."""


@dataclass(frozen=True)
class AdviceMeasurement:
    """Writes the plan to ``path``; yields ``{"rows": {"advice": rows}}``, the last row that of all.

    Raises BenchError where no plan fits, with the smallest peak and the batch that would fit.
    """

    configuration: AdviceConfiguration
    start: Start
    path: Path

    def __call__(self) -> Iterator[dict[str, Any]]:
        """Measure, choose and write; ``progress`` tells how much of it is done."""
        simulation = Simulation(self.configuration)
        with simulation.entered() as training:
            families = planned_modules(training.model)
            kept = measure_bytes(training.model, (training.batch.input,), families)
        steps = self._steps()
        variances = yield from _told(measure_variances(steps, families, self.configuration.repeats))
        search = _Search(simulation, Costs(families, kept, variances), self.configuration)
        advice, peak = search.best()
        advice.plan.write(self.path)
        whole = {
            **_whole(advice),
            "predicted_peak_bytes": peak,
            "relative_error": measure_error(steps, advice.plan, _MEASURING_REPEATS),
        }
        yield {"rows": {"advice": [*map(_row, advice.lines), whole]}}

    def _steps(self) -> Steps:
        """Steps of the exact network in which settings are measured."""
        cell = self.configuration
        comparison = Comparison(cell, self.start)
        (indices,) = random_minibatches(
            len(comparison.samples), min(cell.batch_size, MOST_SAMPLES), count=1, seed=cell.seed
        )
        batch = comparison.samples.batch(indices)

        def loss(output: Any) -> Tensor:
            return comparison.task.loss(output, batch.target)

        return Steps(comparison.model, (batch.input,), loss, cell.seed)


def _told(
    measuring: Generator[float, None, Variances],
) -> Generator[dict[str, float], None, Variances]:
    """Yield the progress of what is measured, as a worker tells it; return the variances."""
    while True:
        try:
            yield {"progress": next(measuring)}
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


@dataclass(frozen=True)
class _Simulated:
    """A plan's step: its peak, and what is to be kept to at each of its moments."""

    chosen: list[int]
    peak: int
    moments: list[Room]
    """Bytes that are there beside the layers', and the layers whose bytes are alive."""


class _Search:
    """The plans that are simulated for one network."""

    def __init__(
        self, simulation: Simulation, costs: Costs, configuration: AdviceConfiguration
    ) -> None:
        self._simulation = simulation
        self._costs = costs
        self._options = costs.options
        self._cell = configuration
        self._simulated: dict[tuple[int, ...], _Simulated] = {}

    def best(self) -> tuple[Advice, int]:
        """Return the plan and its simulated peak in bytes."""
        budget, error = self._cell.memory_budget_bytes, self._cell.target_error
        found = self._least_memory(error or 0.0) if budget is None else self._within(budget)
        return self._costs.advice(found.chosen), found.peak

    def _within(self, budget: int) -> _Simulated:
        """Return the simulated plan of the least variance with a peak of at most ``budget``.

        What a setting takes for a moment is known of those alone that were simulated: hence plans
        are chosen from two ends.
        """
        fits: list[_Simulated] = []
        for begin in (smallest(self._options), self._exact()):
            latest = self._simulate(begin)
            for _ in range(_ROUNDS):
                fits += [latest] * (latest.peak <= budget)
                try:
                    rooms = [Room(budget - m.bytes, m.layers) for m in latest.moments]
                    chosen = choose(self._options, rooms)
                except NoRoomError:
                    break
                if chosen == latest.chosen:
                    break
                latest = self._simulate(chosen)
        if not fits:
            raise BenchError(self._words(budget))
        return min(fits, key=self._variance)

    def _exact(self) -> list[int]:
        """The exact settings, which come first."""
        return [list(settings).index(None) for settings in self._costs.bytes.values()]

    def _least_memory(self, error: float) -> _Simulated:
        """Return the plan of the smallest peak among those of at most this ``error``."""
        enough = error**2
        best = self._simulate(choose(self._options, [], enough))
        low = min(self._simulate(smallest(self._options)).peak, best.peak)
        for _ in range(_HALVINGS):
            middle = (low + best.peak) // 2
            try:
                found = self._within(middle)
            except BenchError:
                low = middle
                continue
            if self._variance(found) <= enough and found.peak < best.peak:
                best = found
            else:
                low = middle
        return best

    def _variance(self, simulated: _Simulated) -> float:
        return total_variance(self._options, simulated.chosen)

    def _simulate(self, chosen: list[int]) -> _Simulated:
        found = self._simulated.get(tuple(chosen))
        if found is None:
            found = self._simulated[tuple(chosen)] = self._step(chosen)
        return found

    def _step(self, chosen: list[int]) -> _Simulated:
        with self._simulation.entered() as training:
            convert(training.model, plan=self._costs.advice(chosen).plan)
            training.step()
            points = points_of(training)
        kept = [some[i].bytes for some, i in zip(self._options, chosen, strict=True)]
        moments = []
        for point, alive in zip(points, _alive(points, self._costs.names), strict=True):
            moments.append(Room(point.peak_bytes - sum(kept[i] for i in alive), alive))
        return _Simulated(chosen, max(point.peak_bytes for point in points), moments)

    def _words(self, budget: int) -> str:
        least = min(self._simulated.values(), key=lambda each: each.peak)
        peak = least.peak
        with self._simulation.entered() as training:
            convert(training.model, plan=self._costs.advice(least.chosen).plan)

        def peak_of(size: int) -> int:
            try:
                return self._simulation.count(size).peak_bytes
            except Exception as error:
                if not may_depend_on_batch(error):
                    raise
                raise Refused(reason(error)) from error

        words = (
            f"no plan fits into {format_bytes(budget)}: the smallest has a peak of "
            f"{format_bytes(peak)}, {format_bytes(peak - budget)} more; "
        )
        fits = largest_batch(peak_of, budget, self._cell.batch_size)
        if fits.size:
            return f"{words}--memory-budget {peak} would do, or a batch of {fits.size}"
        return f"{words}--memory-budget {peak} would do, and no smaller batch"


def _alive(points: Sequence[Point], names: Sequence[str]) -> list[list[int]]:
    """Return for each moment the layers whose bytes are there: from behind their forward pass
    until after the gradient of their output has arrived."""
    forward = {p.layer: n for n, p in reversed([*enumerate(points)]) if p.phase == FORWARD}
    backward = {p.layer: n for n, p in enumerate(points) if p.phase == BACKWARD}
    last = len(points) - 1
    return [
        [
            i
            for i, name in enumerate(names)
            if name in forward and forward[name] < moment <= backward.get(name, last) + 1
        ]
        for moment in range(len(points))
    ]
