"""Scatter of gradients: over minibatches, and over the seeds of the estimator within one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from xconv_bench.configuration import VarianceConfiguration
from xconv_bench.data.minibatches import random_minibatches
from xconv_bench.events import Event, Message, Progress, Rows, joined
from xconv_bench.measurement.comparison import GradientComparison, Gradients, Start
from xconv_bench.results.schema import ALL_LAYERS
from xconv_bench.statistics.decomposition import Decomposition
from xconv_bench.statistics.single_weights import SingleWeights, evenly

LAYERS_WITH_SINGLE_WEIGHTS = 4

LARGE_SHARE = 0.1
"""Minibatches that are a larger part of the data are remarked upon."""


@dataclass(frozen=True)
class VarianceMeasurement:
    """Yields rows of ``estimates``, and of ``variance``: a row a layer and one for all."""

    configuration: VarianceConfiguration
    start: Start

    def __call__(self) -> Iterator[Event]:
        """Measure."""
        settings = self.configuration
        comparison = GradientComparison(settings, self.start)
        count = len(comparison.samples)
        minibatches = [
            *random_minibatches(count, settings.batch_size, settings.minibatches, settings.seed)
        ]
        comparison.learn(minibatches)
        variances = GradientVariances(settings.repeats)
        saved: dict[str, int] = {}
        said: list[str] = []
        for number, indices in enumerate(minibatches):
            batch = comparison.samples.batch(indices)
            exact = comparison.exact(batch, number)
            if number == 0:
                saved = comparison.saved_bytes(batch)
                said.append(comparison.floor(exact, batch, number).words())
            rounded = comparison.rounded(batch, number)
            if comparison.is_exact:
                # There is no estimator whose seeds could differ.
                variances.add(exact, [rounded or exact], rounded)
            else:
                estimates = list(comparison.estimates(batch, number, settings.repeats))
                variances.add(exact, estimates, rounded)
            yield Progress((number + 1) / settings.minibatches)
        rows = [row | {"saved_bytes": saved[row["layer"]]} for row in variances.rows()]
        yield Rows("estimates", variances.single_weights())
        yield Rows("variance", rows)
        said += [self._remark(count), comparison.remark_on_learning]
        yield Message(joined(comparison.remark, *said))

    def _remark(self, samples: int) -> str:
        """Return a remark where drawing without replacement makes minibatches vary less."""
        share = self.configuration.batch_size / samples
        if share <= LARGE_SHARE:
            return ""
        return (
            f"a minibatch is {share:.0%} of the data: drawn without replacement, they vary "
            f"{1 - share:.2f}× as much as minibatches of fresh samples"
        )


class GradientVariances:
    """The decomposition of the variance layer by layer, and some weights one by one."""

    def __init__(self, repeats: int) -> None:
        self._repeats = repeats
        self._layers: dict[str, Decomposition] = {}
        self._single: dict[str, SingleWeights] = {}

    def add(self, exact: Gradients, estimates: list[Gradients], rounded: Gradients | None) -> None:
        """Take the gradients of one minibatch."""
        if not self._layers:
            self._begin(exact)
        for name, layer in self._layers.items():
            layer.add(
                exact[name],
                [e[name] for e in estimates],
                None if rounded is None else rounded[name],
            )
        for name, weights in self._single.items():
            weights.add(exact[name], estimates[0][name])

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each layer, then one for all."""
        rows = [{"layer": name, **layer.readings()} for name, layer in self._layers.items()]
        layers = list(self._layers.values())
        return [*rows, {"layer": ALL_LAYERS, **Decomposition.together(layers).readings()}]

    def single_weights(self) -> list[dict[str, Any]]:
        """Return rows of some weights of some layers."""
        return [
            {"layer": name, **row}
            for name, weights in self._single.items()
            for row in weights.rows()
        ]

    def _begin(self, gradients: Gradients) -> None:
        self._layers = {name: Decomposition() for name in gradients}
        names = evenly(list(gradients), LAYERS_WITH_SINGLE_WEIGHTS)
        self._single = {name: SingleWeights(gradients[name].numel()) for name in names}
