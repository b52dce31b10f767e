"""Whether estimates have the right mean: a test for vectors of any number of entries."""

from __future__ import annotations

from math import sqrt
from statistics import fmean, stdev

import torch
from torch import Tensor

FALSE_ALARM_RATE = 1e-6
"""The probability that any layer of a network is called biased where the estimator is not.

Divided among the layers (Bonferroni).
"""

FEWEST_SEEDS = 32
"""Below, half of them are too few: probes on small maps have few different errors, and as
many that happen to agree look like a bias."""


class BiasTest:
    """Tests whether independent errors e_1 … e_K, vectors, have mean zero.

    The first half chooses the direction in which the mean seems to lie, u = Σ e_k. The other half
    is projected on it: t_k = ⟨e_k, u⟩ / ‖u‖ are independent numbers whose mean, where there is no
    bias, is zero whatever u is. Student's t test of them, one-sided, since a bias shows with the
    sign that chose u. One number is tested in place of millions, so that nothing has to be known
    of how the entries depend on each other, and nothing is kept but u.

    The rate of false alarms is exact where the t_k are normal. They are sums over many products of
    probes and pixels; of a single probe on a map of a few pixels they are not.
    """

    def __init__(self, seeds: int) -> None:
        self._choosing = seeds // 2
        self._direction: Tensor | float = 0.0
        self._count = 0
        self._projections: list[float] = []

    def add(self, error: Tensor) -> None:
        """Take the error of one more estimate."""
        self._count += 1
        if self._count <= self._choosing:
            self._direction = self._direction + error.double()
            return
        direction = torch.as_tensor(self._direction)
        length = float(direction.norm())
        along = float((error.double() * direction).sum())
        self._projections.append(along / length if length else 0.0)

    @property
    def p_value(self) -> float | None:
        """Return the probability of a mean as large without bias; None with too few seeds."""
        from scipy.special import stdtr

        if self._count < FEWEST_SEEDS:
            return None
        spread = stdev(self._projections) / sqrt(len(self._projections))
        offset = fmean(self._projections)
        if spread == 0:
            return 1.0 if offset == 0 else 0.0
        return float(stdtr(len(self._projections) - 1, -offset / spread))


def verdict(p_value: float | None, relative_error: float, layers: int, rounding: float) -> str:
    """Return ``"unbiased"``, ``"biased"``, ``"exact"``, or nothing where too few seeds were drawn.

    Exact is what differs from the exact gradient by no more than ``rounding``: there a mean other
    than zero is that of another order of summation, always the same.
    """
    if relative_error <= rounding:
        return "exact"
    if p_value is None:
        return ""
    return "biased" if p_value < FALSE_ALARM_RATE / layers else "unbiased"
