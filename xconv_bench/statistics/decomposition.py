"""The variance of estimated gradients: what minibatches cause, and what the estimator adds."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import fmean
from typing import Any

from torch import Tensor

from xconv_bench.statistics.estimates import mean, ratio
from xconv_bench.statistics.spread import Spread


class Decomposition:
    """Var ĝ = Var g (over minibatches b) + E Var(ĝ | b) (over seeds k), by nested repetition.

    With g_b the exact gradient of minibatch b and ĝ_bk its K estimates, all variances summed over
    the weights:

        sampling:   w_b, Helmert increments of g_b (``Spread``), b = 2 … M
        estimator:  v_b = Σ_k ‖ĝ_bk - mean_k ĝ_bk‖² / (K-1), b = 1 … M
        total:      Helmert increments of ĝ_bk over b, averaged over k

    Each is a set of samples, one a minibatch, of the variance that is its mean; hence the standard
    errors. The total is measured, not added up: it is equal to the sum only if the estimator is
    unbiased and its seeds are independent of the minibatches.
    """

    def __init__(self) -> None:
        self.elements = 0
        self.squared_norm = 0.0
        self.sampling: list[float] = []
        self.estimator: list[float] = []
        self.total: list[float] = []
        self.squared_error: list[float] = []
        self.rounding: list[float] = []
        self._exact = Spread()
        self._estimates: list[Spread] = []

    def add(self, exact: Tensor, estimates: Sequence[Tensor], rounded: Tensor | None) -> None:
        """Take one minibatch: its exact gradient, its estimates, and the rounded exact one."""
        self.elements = exact.numel()
        self._exact.add(exact)
        assert self._exact.mean is not None
        self.squared_norm = float(self._exact.mean.square().sum())
        self.sampling = self._exact.increments
        self._add_estimates(exact, estimates)
        if rounded is not None:
            self.rounding.append(_squared_distance(rounded, exact))

    def _add_estimates(self, exact: Tensor, estimates: Sequence[Tensor]) -> None:
        within = Spread()
        self._estimates = self._estimates or [Spread() for _ in estimates]
        for estimate, over_minibatches in zip(estimates, self._estimates, strict=True):
            within.add(estimate)
            over_minibatches.add(estimate)
        self.estimator.append(fmean(within.increments) if within.increments else 0.0)
        self.squared_error.append(fmean(_squared_distance(e, exact) for e in estimates))
        increments = (each.increments for each in self._estimates)
        self.total = [fmean(of_one_minibatch) for of_one_minibatch in zip(*increments, strict=True)]

    @classmethod
    def together(cls, layers: Sequence[Decomposition]) -> Decomposition:
        """Return the decomposition for the weights of all layers as one vector."""
        whole = cls()
        whole.elements = sum(layer.elements for layer in layers)
        whole.squared_norm = sum(layer.squared_norm for layer in layers)
        for name in ("sampling", "estimator", "total", "squared_error", "rounding"):
            samples = zip(*(getattr(layer, name) for layer in layers), strict=True)
            setattr(whole, name, [sum(of_one_minibatch) for of_one_minibatch in samples])
        return whole

    def readings(self) -> dict[str, Any]:
        """Return columns of a row of ``variance.csv``."""
        columns: dict[str, Any] = {
            "weight_elements": self.elements,
            "gradient_norm": sqrt(self.squared_norm),
        }
        for column, samples in (
            ("sampling_variance", self.sampling),
            ("estimator_variance", self.estimator),
            ("total_variance", self.total),
            ("squared_error", self.squared_error),
            ("rounding_squared_error", self.rounding),
        ):
            measured = mean(samples) if samples else None
            columns[column] = measured and measured.value
            columns[f"{column}_se"] = measured and measured.se
        # The first minibatch has no increment.
        interval = ratio(self.estimator, self.sampling) if self.sampling else None
        for column, bound in zip(("", "_low", "_high"), interval or (None,) * 3, strict=True):
            columns[f"variance_ratio{column}"] = bound
        return columns


def _squared_distance(vector: Tensor, other: Tensor) -> float:
    return float((vector.double() - other.double()).square().sum())
