"""Which of several trade-offs are worth considering: those that no other beats in everything."""

from __future__ import annotations

from collections.abc import Sequence

Coordinates = tuple[float, ...]
"""What a choice costs in each respect; less is better."""


def dominator(points: Sequence[Coordinates], index: int) -> int | None:
    """A point that is nowhere worse than that of ``index`` and somewhere better, or None.

    Of several the one that is itself dominated by none; of equal points none dominates another.

    >>> points = [(1.0, 3.0), (2.0, 1.0), (2.0, 3.0)]
    >>> [dominator(points, index) for index in range(3)]
    [None, None, 0]
    """
    better = [i for i, point in enumerate(points) if _dominates(point, points[index])]
    return next((i for i in better if not any(_dominates(p, points[i]) for p in points)), None)


def front(points: Sequence[Coordinates]) -> list[int]:
    """The points that none dominates, by their first cost.

    >>> front([(2.0, 1.0), (1.0, 3.0), (2.0, 3.0)])
    [1, 0]
    """
    undominated = [i for i in range(len(points)) if dominator(points, i) is None]
    return sorted(undominated, key=lambda i: points[i])


def _dominates(point: Coordinates, other: Coordinates) -> bool:
    return point != other and all(a <= b for a, b in zip(point, other, strict=True))
