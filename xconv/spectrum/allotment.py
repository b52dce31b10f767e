"""Division of what a network keeps among its layers, for schemes without a spectral plan.

A layer is a ``Contribution``. Keeping more of it lowers the variance of its weight gradient by a
law that is known up to one factor. Only the ratio of this factor between layers matters; it assumes
noise of the same energy at every frequency, proportional to the energy of the input, times the mean
energy of the output gradient. In the best division the next byte gains the same in every layer.
"""

from __future__ import annotations

from collections.abc import Sequence

from xconv.spectrum.plan import Contribution

_HALVINGS = 60


def reciprocal(
    variances: Sequence[float],
    costs: Sequence[float],
    mean: float,
    least: float,
    most: Sequence[float],
) -> list[float]:
    """Return amounts k that minimise Σ variance/k under Σ cost·k = ``mean`` Σ cost.

    Probes and sampled pixels follow this law. With λ the price of a unit of cost, ``k = √(variance
    / (λ cost))``, limited to ``least`` and to ``most`` of each layer.
    """
    room = mean * sum(costs)
    shares = [(v / c) ** 0.5 for v, c in zip(variances, costs, strict=True)]
    largest = max(shares) or 1.0

    def at(scale: float) -> list[float]:
        wanted = (scale * share / largest for share in shares)
        return [min(max(k, least), top) for k, top in zip(wanted, most, strict=True)]

    low, high = 0.0, max(*most, least) * 1e9
    for _ in range(_HALVINGS):
        middle = (low + high) / 2 if low else high / 2 ** (_HALVINGS / 2)
        taken = sum(c * k for c, k in zip(costs, at(middle), strict=True))
        low, high = (low, middle) if taken > room else (middle, high)
    return at(low)


def in_steps(
    variances: Sequence[float],
    costs: Sequence[float],
    mean: float,
    levels: Sequence[float],
    noises: Sequence[float],
) -> list[float]:
    """Return a level for each layer: least Σ variance·noise, with Σ cost·level ≤ ``mean`` Σ cost.

    ``noises`` belong to ``levels``; both are in the order of rising levels, and the gain per unit
    of cost falls from level to level. Levels are raised where that gains most for its cost, while
    there is room, unless equal levels are better. ``mean`` is at least the lowest level.
    """
    upgrades = sorted(
        (
            (v * (noises[i] - noises[i + 1]) / (levels[i + 1] - levels[i]), layer, i)
            for layer, v in enumerate(v / c for v, c in zip(variances, costs, strict=True))
            for i in range(len(levels) - 1)
        ),
        key=lambda upgrade: -upgrade[0],
    )
    chosen = [0] * len(costs)
    room = (mean - levels[0]) * sum(costs)
    for _, layer, i in upgrades:
        cost = costs[layer] * (levels[i + 1] - levels[i])
        if chosen[layer] == i and cost <= room * (1 + 1e-12):
            chosen[layer], room = i + 1, room - cost
    even = [max(i for i, level in enumerate(levels) if level <= mean)] * len(costs)
    return [levels[i] for i in min(chosen, even, key=lambda each: _loss(variances, noises, each))]


def _loss(variances: Sequence[float], noises: Sequence[float], chosen: Sequence[int]) -> float:
    return sum(v * noises[i] for v, i in zip(variances, chosen, strict=True))


def white(part: Contribution) -> float:
    """Return the variance of a layer's weight gradient for white noise as strong as its input."""
    return part.energy * part.weight * part.elements
