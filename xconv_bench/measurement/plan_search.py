"""The plan that fits under a peak: chosen, simulated, and chosen anew by what the simulation said.

A step has moments, between the arrival at one layer and at the next. The memory that a layer keeps
is alive from behind its forward pass until behind its backward pass. The memory that it takes for a
moment, while it runs, depends on its setting too, and is seen in steps in which all layers have
theirs of one number. All else at a moment is what is left of the peak of a simulated step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from xconv import convert
from xconv.planning.advice import Advice, Costs
from xconv.planning.choosing import Moments, NoRoomError, choose, total_variance
from xconv_bench.amounts import format_bytes
from xconv_bench.errors import BenchError
from xconv_bench.measurement.batch_search import Refused, largest_batch
from xconv_bench.measurement.counting import Simulation
from xconv_bench.measurement.failures import may_depend_on_batch
from xconv_bench.measurement.layers import moments_of
from xconv_bench.meters.by_layer import BACKWARD, FORWARD, Moment
from xconv_bench.models.messages import reason

_ROUNDS = 6
"""Plans that are simulated for one budget, each chosen by what was seen of those before."""
_HALVINGS = 6
"""The most steps in which the range of the smallest budget for an error is halved."""
_PEAK_HALVINGS = 20
"""The most steps in which the range of the smallest peak is halved, without simulation."""


@dataclass(frozen=True)
class SimulatedPlan:
    """A plan by the numbers of its options, and the ``peaks`` (moments) of its step in bytes."""

    chosen: list[int]
    peaks: Tensor

    @property
    def peak(self) -> int:
        """Return the peak of the step in bytes."""
        return int(self.peaks.max())


class PlanSearch:
    """Plans for one network, whose ``costs`` were measured; they are simulated where that is."""

    def __init__(self, simulation: Simulation, costs: Costs) -> None:
        self._simulation = simulation
        self._costs = costs
        self._options = costs.options
        self._moments: list[Moment] = []
        numbers = range(max(map(len, self._options), default=1))
        self._levels = [
            self._simulate([min(number, len(some) - 1) for some in self._options])
            for number in numbers
        ]
        self._uses = self._used()

    def advice(self, found: SimulatedPlan) -> Advice:
        """Return a plan that was found, with what it costs."""
        return self._costs.advice(found.chosen)

    def within(self, budget: int) -> SimulatedPlan:
        """Return the plan of the least variance whose simulated peak is at most ``budget``.

        Raises BenchError where there is none, with the smallest peak and the batch that would fit.
        """
        found = self._fitting(budget)
        if found.peak > budget:
            raise BenchError(self._words(found, budget))
        return found

    def _fitting(self, budget: int) -> SimulatedPlan:
        """Return the same; where none fits, the plan of the smallest peak that is known."""
        seen = list(self._levels)
        fits = [each for each in seen if each.peak <= budget]
        latest = min(fits, key=self._variance) if fits else min(seen, key=lambda each: each.peak)
        rest = self._rest(latest)
        for _ in range(_ROUNDS):
            try:
                chosen = choose(self._options, Moments(budget - rest, self._uses))
            except NoRoomError:
                break
            if any(chosen == each.chosen for each in seen):
                break
            seen.append(self._simulate(chosen))
            rest = torch.maximum(rest, self._rest(seen[-1]))
        fits = [each for each in seen if each.peak <= budget]
        return min(fits, key=self._variance) if fits else self._smallest(rest)

    def _smallest(self, rest: Tensor) -> SimulatedPlan:
        """Return the plan of the smallest peak of those that were simulated, and of the one that
        has it by what is known."""
        low, high = 0.0, float(max(each.peak for each in self._levels))
        chosen = self._levels[0].chosen
        for _ in range(_PEAK_HALVINGS):
            middle = (low + high) / 2
            try:
                chosen = choose(self._options, Moments(middle - rest, self._uses))
                high = middle
            except NoRoomError:
                low = middle
        return min(*self._levels, self._simulate(chosen), key=lambda each: each.peak)

    def least_memory(self, error: float) -> SimulatedPlan:
        """Return the plan of the smallest peak whose relative error is at most ``error``."""
        good = [each for each in self._levels if self._variance(each) <= error**2]
        best = min(good, key=lambda each: each.peak)  # the exact one at least
        low = min(each.peak for each in self._levels)
        for _ in range(_HALVINGS):
            middle = (low + best.peak) // 2
            found = self._fitting(middle)
            if self._variance(found) <= error**2 and found.peak < best.peak:
                best = found
            else:
                low = middle
        return best

    def _variance(self, simulated: SimulatedPlan) -> float:
        return total_variance(self._options, simulated.chosen)

    def _simulate(self, chosen: list[int]) -> SimulatedPlan:
        with self._simulation.entered() as training:
            convert(training.model, plan=self._costs.advice(chosen).plan)
            training.step()
            self._moments = moments_of(training)
        peaks = [point.peak_bytes for point in self._moments]
        return SimulatedPlan(chosen, torch.tensor(peaks, dtype=torch.float64))

    def _used(self) -> list[Tensor]:
        """Return the bytes of each option of each layer at each moment: (options, moments)."""
        alive, running = _moments(self._moments, self._costs.names)
        kept = [
            torch.tensor([[o.bytes] for o in some], dtype=torch.float64) * alive[layer]
            for layer, some in enumerate(self._options)
        ]
        rests = [
            each.peaks - sum(kept[n][i] for n, i in enumerate(each.chosen)) for each in self._levels
        ]
        for layer, some in enumerate(kept):
            for number in range(1, len(some)):
                some[number] += (rests[number] - rests[0]) * running[layer]
        return kept

    def _rest(self, simulated: SimulatedPlan) -> Tensor:
        """Return the bytes at each moment beside those of layers."""
        uses = (self._uses[layer][option] for layer, option in enumerate(simulated.chosen))
        return simulated.peaks - sum(uses)

    def _words(self, least: SimulatedPlan, budget: int) -> str:
        with self._simulation.entered() as training:
            convert(training.model, plan=self.advice(least).plan)
            batch_size = self._simulation.batch_size

        def peak_of(size: int) -> int:
            try:
                return self._simulation.count(size).peak_bytes
            except Exception as error:
                if not may_depend_on_batch(error):
                    raise
                raise Refused(reason(error)) from error

        fits = largest_batch(peak_of, budget, batch_size)
        batch = f"a batch of {fits.size} would" if fits.size else "no smaller batch would"
        return (
            f"no plan fits into {format_bytes(budget)}: the smallest has a peak of "
            f"{format_bytes(least.peak)}, {format_bytes(least.peak - budget)} more; "
            f"--memory-budget {least.peak} would do, and {batch}"
        )


def _moments(moments: Sequence[Moment], names: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Return at which moments what each layer keeps is alive, and at which it runs: (layers,
    moments), 1 or 0. A moment ends with its point."""
    forward = {p.layer: n for n, p in reversed([*enumerate(moments)]) if p.phase == FORWARD}
    backward = {p.layer: n for n, p in enumerate(moments) if p.phase == BACKWARD}
    alive = torch.zeros(len(names), len(moments), dtype=torch.float64)
    running = torch.zeros_like(alive)
    for layer, name in enumerate(names):
        if name in forward:
            first, last = forward[name], backward.get(name, len(moments) - 1) + 1
            alive[layer, first + 1 : last + 1] = 1
            running[layer, [first, min(last, len(moments) - 1)]] = 1
    return alive, running
