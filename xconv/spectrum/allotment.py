"""How schemes without a spectral plan divide what a network keeps among its layers.

A layer is a ``Part``. Keeping more of it makes the variance of its weight gradient smaller by a law
that is known but for one factor, in which only the ratio between layers matters: noise of the same
energy at every frequency, in proportion to the energy of the input, times the mean energy of the
output gradient. The best division has the same gain of each layer for the next byte.
"""

from __future__ import annotations

from collections.abc import Sequence

from xconv.spectrum.plan import Part

_HALVINGS = 60


def reciprocal(
    variances: Sequence[float],
    costs: Sequence[float],
    mean: float,
    least: float,
    most: Sequence[float],
) -> list[float]:
    """Return amounts k of least Σ variance/k, at most ``mean`` Σ cost = Σ cost k.

    Probes and sampled pixels follow this law. With the price λ of a unit of cost,
    ``k = √(variance / (λ cost))``, between ``least`` and ``most`` of each layer.
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
    """Return a level for each layer, of least Σ variance·noise, with Σ cost·level at most ``mean``
    Σ cost.

    ``noises`` belong to ``levels``, both in the order of rising levels; gains a unit of cost fall
    from level to level. Levels are raised where that gains most for its cost, as long as there is
    room, unless equal ones are better; ``mean`` is at least the lowest level.
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


def white(part: Part) -> float:
    """Return the variance that a layer's weight gradient has of noise as strong as its input."""
    return part.energy * part.weight * part.elements
