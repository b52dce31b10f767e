"""The average gradient error over a whole data set (XConv paper, arXiv 2106.06998, eq. 9)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

from torch import Tensor, nn

from xconv.contents import modules
from xconv_bench.configuration import AverageErrorConfiguration
from xconv_bench.data.minibatches import partition
from xconv_bench.events import Event, Message, Progress, Rows, joined
from xconv_bench.measurement.comparison import GradientComparison, Gradients, Start
from xconv_bench.results.schema import ALL_LAYERS
from xconv_bench.statistics.estimates import Measured, mean
from xconv_bench.statistics.spread import Spread


@dataclass(frozen=True)
class AverageErrorMeasurement:
    """Yields rows of ``age``, a row a layer and one for all.

    Exact gradients are computed of no more than ``chunk_size`` samples at a time: the batch of a
    method that needs less memory may be larger than what fits exactly.
    """

    configuration: AverageErrorConfiguration
    start: Start
    chunk_size: int

    def __call__(self) -> Iterator[Event]:
        """Measure."""
        settings = self.configuration
        comparison = GradientComparison(settings, self.start)
        batches = partition(len(comparison.samples), settings.batch_size, settings.seed)
        comparison.learn(batches[: len(comparison.samples) // settings.batch_size])
        errors = AverageErrors()
        for number, indices in enumerate(batches):
            exact = self._exact(comparison, indices, number)
            # The method takes whole minibatches only; the rest counts in the full gradient.
            if len(indices) == settings.batch_size:
                errors.add(exact, self._estimate(comparison, exact, indices, number), len(indices))
            else:
                errors.add_rest(exact, len(indices))
            yield Progress((number + 1) / len(batches))
        yield Rows("age", errors.rows())
        yield Message(self._remark(comparison, batches[0]))

    def _exact(
        self, comparison: GradientComparison, indices: Sequence[int], number: int
    ) -> Gradients:
        """Return the gradient of the mean loss: that of the chunks, weighted by their sizes."""
        whole: Gradients = {}
        for part, first in enumerate(range(0, len(indices), self.chunk_size)):
            chunk = indices[first : first + self.chunk_size]
            share = len(chunk) / len(indices)
            batch = comparison.samples.batch(chunk)
            for name, gradient in comparison.exact(batch, number, part).items():
                weighted = gradient.double() * share
                whole[name] = whole[name] + weighted if name in whole else weighted
        return whole

    def _estimate(
        self, comparison: GradientComparison, exact: Gradients, indices: Sequence[int], number: int
    ) -> Gradients:
        if comparison.is_exact and not comparison.is_half:
            return exact
        batch = comparison.samples.batch(indices)
        return next(comparison.estimates(batch, number, repeats=1))

    def _remark(self, comparison: GradientComparison, indices: Sequence[int]) -> str:
        size = min(self.chunk_size, self.configuration.batch_size)
        batch = comparison.samples.batch(indices[:size])
        floor = comparison.floor(comparison.exact(batch, 0), batch, 0)
        words = [comparison.remark, floor.words(), comparison.remark_on_learning]
        if _has(comparison, nn.modules.batchnorm._BatchNorm):
            words.append(
                f"batch normalisation: the full gradient is the mean over batches of {size}"
            )
        if _has(comparison, nn.modules.dropout._DropoutNd):
            words.append("dropout: the full gradient is a mean over masks, one a batch")
        return joined(*words)


def _has(comparison: GradientComparison, kind: type[nn.Module]) -> bool:
    return any(isinstance(module, kind) for module in modules(comparison.model))


class AverageErrors:
    """``(1/M) Σ_b ‖g - ĝ_b‖²`` layer by layer and over all of them."""

    def __init__(self) -> None:
        self._layers: dict[str, _LayerMeans] = {}

    def add(self, exact: Gradients, estimate: Gradients, samples: int) -> None:
        """Take one minibatch of so many samples."""
        self.add_rest(exact, samples)
        for name, layer in self._layers.items():
            layer.exact.add(exact[name])
            layer.estimates.add(estimate[name])

    def add_rest(self, exact: Gradients, samples: int) -> None:
        """Take samples that count in the full gradient only."""
        for name, gradient in exact.items():
            self._layers.setdefault(name, _LayerMeans()).accumulate(gradient, samples)

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each layer, then one for all."""
        layers = list(self._layers.values())
        rows = [{"layer": name, **_row([layer])} for name, layer in self._layers.items()]
        return [*rows, {"layer": ALL_LAYERS, **_row(layers)}]


class _LayerMeans:
    def __init__(self) -> None:
        self.exact = Spread()
        self.estimates = Spread()
        self.samples = 0
        self._sum: Tensor | float = 0.0

    def accumulate(self, gradient: Tensor, samples: int) -> None:
        self._sum = self._sum + gradient.double() * samples
        self.samples += samples

    @property
    def full(self) -> Tensor:
        """Return g, the exact gradient of the mean loss over all samples."""
        assert isinstance(self._sum, Tensor)
        return self._sum / self.samples


def _row(layers: list[_LayerMeans]) -> dict[str, Any]:
    estimate = _average_error([(layer.estimates, layer.full) for layer in layers])
    exact = _average_error([(layer.exact, layer.full) for layer in layers])
    return {
        "weight_elements": sum(layer.full.numel() for layer in layers),
        "minibatch_count": len(layers[0].exact.increments) + 1,
        "full_gradient_norm": sqrt(sum(float(layer.full.square().sum()) for layer in layers)),
        "average_gradient_error": estimate.value,
        "average_gradient_error_se": estimate.se,
        "exact_average_gradient_error": exact.value,
        "exact_average_gradient_error_se": exact.se,
    }


def _average_error(parts: list[tuple[Spread, Tensor]]) -> Measured:
    """Return the error by (1/M) Σ_b ‖g - ĝ_b‖² = (1/M) Σ_b ‖ĝ_b - m‖² + ‖m - g‖², m = mean ĝ_b.

    So no more than one pass over the minibatches is needed, although g is known at its end only.
    """
    offset = 0.0
    for spread, full in parts:
        assert spread.mean is not None
        offset += float((spread.mean - full).square().sum())
    increments = [sum(of_all) for of_all in zip(*(s.increments for s, _ in parts), strict=True)]
    if not increments:
        return Measured(offset, None)
    count = len(increments) + 1
    scatter = mean(increments)
    share = len(increments) / count
    return Measured(scatter.value * share + offset, scatter.se and scatter.se * share)
