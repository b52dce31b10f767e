"""Some weights of a layer one by one: a single estimate beside what minibatches make of the exact.

The figure 3a of the XConv paper (arXiv 2106.06998).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any, TypeVar

import torch
from torch import Tensor

WEIGHTS = 32
CONFIDENCE = 0.99

Item = TypeVar("Item")


def evenly(items: Sequence[Item], count: int) -> list[Item]:
    """Return at most ``count`` of the items, evenly spaced, the first and the last among them.

    >>> evenly("abcdefghi", 3), evenly("ab", 3), evenly("abc", 1)
    (['a', 'e', 'i'], ['a', 'b'], ['a'])
    """
    if len(items) <= count:
        return list(items)
    steps = max(count - 1, 1)
    return [items[index * (len(items) - 1) // steps] for index in range(count)]


class SingleWeights:
    """Exact gradients of ``WEIGHTS`` weights over minibatches, and their first estimate."""

    def __init__(self, elements: int) -> None:
        self._indices = evenly(range(elements), WEIGHTS)
        self._exact: list[Tensor] = []
        self._estimate: Tensor | None = None

    def add(self, exact: Tensor, estimate: Tensor) -> None:
        """Take the gradients of one minibatch; only the first estimate is kept."""
        self._exact.append(exact.flatten()[self._indices].double().cpu())
        if self._estimate is None:
            self._estimate = estimate.flatten()[self._indices].double().cpu()

    def rows(self) -> list[dict[str, Any]]:
        """Return a row a weight; the bounds hold ``CONFIDENCE`` of further minibatches, if normal.

        Mean and deviation s over M minibatches have errors of their own: t · s · √(1 + 1/M).
        """
        from scipy.special import stdtrit

        assert self._estimate is not None
        exact = torch.stack(self._exact)
        center = exact.mean(0)
        count = len(exact)
        quantile = float(stdtrit(count - 1, (1 + CONFIDENCE) / 2))
        reach = quantile * sqrt(1 + 1 / count) * exact.std(0)
        return [
            {
                "weight_index": index,
                "exact_gradient": float(center[place]),
                "exact_low": float(center[place] - reach[place]),
                "exact_high": float(center[place] + reach[place]),
                "estimate": float(self._estimate[place]),
            }
            for place, index in enumerate(self._indices)
        ]
