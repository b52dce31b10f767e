"""Trade-offs: a choice is worth considering where no other beats it in everything."""

from __future__ import annotations

from collections.abc import Sequence

Coordinates = tuple[float, ...]
"""The costs of a choice in each respect; less is better."""


def dominator(points: Sequence[Coordinates], index: int) -> int | None:
    """Return a point that is nowhere worse than that of ``index`` and somewhere better, or None.

    Among several, take the one that none dominates; equal points do not dominate each other.

    >>> points = [(1.0, 3.0), (2.0, 1.0), (2.0, 3.0)]
    >>> [dominator(points, index) for index in range(3)]
    [None, None, 0]
    """
    better = [i for i, point in enumerate(points) if _dominates(point, points[index])]
    return next((i for i in better if not any(_dominates(p, points[i]) for p in points)), None)


def _dominates(point: Coordinates, other: Coordinates) -> bool:
    return point != other and all(a <= b for a, b in zip(point, other, strict=True))
