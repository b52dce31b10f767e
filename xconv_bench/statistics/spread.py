"""Variance of gradients that come one by one and are too large to keep."""

from __future__ import annotations

import torch
from torch import Tensor


class Spread:
    """Running mean of random vectors and their variance over the entries together, E‖g - E g‖².

    For N independent vectors g_1 … g_N with means m_n of the first n (Helmert's transformation):

        w_n = (n-1)/n · ‖g_n - m_{n-1}‖²,    n = 2 … N.

    Each w_n has the variance as its expectation, whatever the distribution; their mean is the
    sample variance Σ‖g_n - m_N‖² / (N-1), to the last digit; and they are independent where the
    vectors are normal. So they are samples of the variance itself, and tell how well it is known.
    """

    def __init__(self) -> None:
        self.mean: Tensor | None = None
        self.increments: list[float] = []
        self._count = 0

    def add(self, vector: Tensor) -> None:
        """Take one more vector, of any shape, the same each time; summed in float64."""
        self._count += 1
        if self.mean is None:
            self.mean = vector.detach().to(torch.float64, copy=True)
            return
        difference = vector.detach().double() - self.mean
        squared = float(difference.square().sum())
        self.increments.append(squared * (self._count - 1) / self._count)
        self.mean += difference / self._count
