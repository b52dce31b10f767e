"""Errors of estimated gradients of one batch against the exact ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, sqrt

import torch
from torch import Tensor

from xconv_bench.configuration import ErrorConfiguration
from xconv_bench.data.minibatches import random_minibatches
from xconv_bench.events import Event, Message, Progress, Readings, Rows, joined
from xconv_bench.measurement.comparison import GradientComparison, Gradients, Start
from xconv_bench.measurement.training import dtype_of
from xconv_bench.results.schema import ALL_LAYERS
from xconv_bench.statistics.bias import FALSE_ALARM_RATE, BiasTest, verdict
from xconv_bench.statistics.estimates import Measured, mean, root
from xconv_bench.statistics.spread import Spread

ROUNDINGS = 256
"""Differences of this many units in the last place, relative to the gradient, are rounding."""


@dataclass(frozen=True)
class ErrorMeasurement:
    """Yields rows of ``error``, a row a layer and one for all."""

    configuration: ErrorConfiguration
    start: Start

    def __call__(self) -> Iterator[Event]:
        """Measure."""
        settings = self.configuration
        comparison = GradientComparison(settings, self.start)
        (indices,) = random_minibatches(
            len(comparison.samples), settings.batch_size, count=1, seed=settings.seed
        )
        comparison.learn([indices])
        batch = comparison.samples.batch(indices)
        exact = comparison.exact(batch, minibatch=0)
        floor = comparison.floor(exact, batch, minibatch=0)
        saved = comparison.saved_bytes(batch)
        # Where there is no estimator there are no seeds that could differ.
        repeats = 1 if comparison.is_exact else settings.repeats
        errors = Errors(exact, repeats)
        for number, estimate in enumerate(comparison.estimates(batch, 0, repeats), 1):
            errors.add(estimate)
            yield Progress(number / repeats)
        # At half precision rounding is what one wants to see.
        rounding = 0.0 if comparison.is_half else ROUNDINGS * torch.finfo(dtype_of(settings)).eps
        rows = [
            {**row, "saved_bytes": saved[row["layer"]], "floor_error": floor.of(row["layer"])}
            for row in errors.rows(rounding)
        ]
        yield Rows("error", rows)
        yield Message(
            joined(
                comparison.remark,
                floor.words(),
                comparison.remark_on_losses(),
                comparison.remark_on_learning,
            )
        )


class Errors:
    """Errors of estimates of the same exact gradients, layer by layer and over all of them."""

    def __init__(self, exact: Gradients, repeats: int) -> None:
        # In float64 already here: every error is a difference of two nearly equal numbers.
        self._layers = {name: _LayerErrors(g.double(), repeats) for name, g in exact.items()}

    def add(self, estimate: Gradients) -> None:
        """Take one more estimate."""
        for name, layer in self._layers.items():
            layer.add(estimate[name].double())

    def rows(self, rounding: float) -> list[Readings]:
        """Return a row for each layer, then one for all; errors below ``rounding`` are none."""
        layers = list(self._layers.values())
        rows = [
            {"layer": name, **layer.readings(rounding, len(layers))}
            for name, layer in self._layers.items()
        ]
        return [*rows, {"layer": ALL_LAYERS, **_together(layers, rows, rounding)}]


class _LayerErrors:
    def __init__(self, exact: Tensor, repeats: int) -> None:
        self.exact = exact
        self.elements = exact.numel()
        self.squared_norm = float(exact.square().sum())
        self.squared_errors: list[float] = []
        self.squared_estimates: list[float] = []
        self.products: list[float] = []
        self.spread = Spread()
        self.bias_test = BiasTest(repeats)

    @property
    def squared_bias(self) -> float:
        """Return ‖mean error‖²."""
        assert self.spread.mean is not None
        return float(self.spread.mean.square().sum())

    def add(self, estimate: Tensor) -> None:
        error = estimate - self.exact
        self.squared_errors.append(float(error.square().sum()))
        self.squared_estimates.append(float(estimate.square().sum()))
        self.products.append(float((estimate * self.exact).sum()))
        self.spread.add(error)
        self.bias_test.add(error)

    def readings(self, rounding: float, layers: int) -> Readings:
        figures = _figures(
            self.elements, self.squared_norm, self.squared_bias, self.squared_errors,
            self.squared_estimates, self.products, self.spread.increments,
        )  # fmt: skip
        p_value = self.bias_test.p_value
        # Beside a gradient of zero, any error is more than rounding.
        error = figures["relative_error"]
        if error is None:
            error = inf if any(self.squared_errors) else 0.0
        return {
            **figures,
            "bias_p_value": p_value,
            "bias_false_alarm_rate": FALSE_ALARM_RATE / layers,
            "bias_verdict": verdict(p_value, error, layers, rounding),
        }


def _together(layers: list[_LayerErrors], rows: list[Readings], rounding: float) -> Readings:
    """Return the figures of all weights as one vector; biased if any layer is (Bonferroni)."""
    figures = _figures(
        sum(layer.elements for layer in layers),
        sum(layer.squared_norm for layer in layers),
        sum(layer.squared_bias for layer in layers),
        *(
            [sum(values) for values in zip(*parts, strict=True)]
            for parts in (
                [layer.squared_errors for layer in layers],
                [layer.squared_estimates for layer in layers],
                [layer.products for layer in layers],
                [layer.spread.increments for layer in layers],
            )
        ),
    )
    verdicts = {row["bias_verdict"] for row in rows}
    order = ("biased", "", "unbiased", "exact")
    p_values = [r["bias_p_value"] for r in rows if r["bias_verdict"] in ("biased", "unbiased")]
    return {
        **figures,
        "bias_p_value": min(1.0, len(layers) * min(p_values)) if p_values else None,
        "bias_false_alarm_rate": FALSE_ALARM_RATE,
        "bias_verdict": next(word for word in order if word in verdicts),
    }


def _figures(
    elements: int,
    squared_norm: float,
    squared_bias: float,
    squared_errors: list[float],
    squared_estimates: list[float],
    products: list[float],
    increments: list[float],
) -> Readings:
    """Return columns of a row; relative ones are empty where the exact gradient is zero."""
    norm = sqrt(squared_norm)
    error = root(mean(squared_errors))
    spread = root(mean(increments)) if increments else Measured(0.0, None)
    cosines = [
        product / (norm * sqrt(squared)) if norm and squared else 0.0
        for product, squared in zip(products, squared_estimates, strict=True)
    ]
    cosine = mean(cosines)

    def relative(value: float | None) -> float | None:
        return value / norm if norm and value is not None else None

    return {
        "weight_elements": elements,
        "gradient_norm": norm,
        "relative_error": relative(error.value),
        "relative_error_se": relative(error.se),
        "cosine": cosine.value if norm else None,
        "cosine_se": cosine.se if norm else None,
        "relative_bias": relative(sqrt(squared_bias)),
        "relative_bias_noise": relative(spread.value / sqrt(len(products))),
        "relative_spread": relative(spread.value),
        "relative_spread_se": relative(spread.se),
    }
