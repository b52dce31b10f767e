r"""How the bits of a layer are divided among the frequencies of its input.

Coefficient f of a block, of mean energy σ_f², is kept with probability p_f in b_f bits, scaled by
1/p_f. It costs p_f c_f bits, c_f = b_f and its share of a scale, and adds to the variance of the
weight gradient

    w_f (σ_f² (1 + V(b_f)) / p_f − σ_f²),

w_f the energy of the output gradient at this frequency, V the relative variance of rounding. For a
price λ of a bit the least sum of variance and λ·bits has

    p_f = min(1, √(w_f σ_f² (1 + V) / (λ c_f)))

and the b_f that is then cheapest. One λ for all layers of a network makes the sum over all of them
least for its bits. Below p = 1 one bit is always the cheapest, so only that class is sampled.

Bits are all that is kept: codes and scales of whole groups, pixels beyond the edge, the seed, and
which frequencies they are. In tensors of a few thousand elements the last are no trifle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from xconv.spectrum.blocks import Blocks
from xconv.spectrum.cached import cached
from xconv.spectrum.rounding import GROUP, SCALE_BITS, VARIANCES

BITS = tuple(VARIANCES)
"""Bits that a kept coefficient may take."""
LEAST_PROBABILITY = 1 / 64
"""Smallest probability of a frequency, so that no weight 1/p grows without bound; smaller where
few bits are asked for."""
SCALE_OF_SCALES = 4
"""Bytes of the largest scale."""

_COSTS = torch.tensor([bits + SCALE_BITS / GROUP for bits in BITS], dtype=torch.float64)
_EXCESS = torch.tensor([1 + VARIANCES[bits] for bits in BITS], dtype=torch.float64)
_HALVINGS = 40
_LEAST_SHARE = 0.25
"""Share of the bits that the smallest probabilities may take."""
_CORRECTIONS = 8
_TOLERANCE = 0.01
"""Share of the bits that whole groups and indices may take in excess."""
_MANY = 2**20
_SEED_BITS = 64
_INDEX_BITS = 16


@dataclass(frozen=True)
class Plan:
    """``counts``: coefficients of a block that are kept, by ``BITS``; the same for every draw.

    ``order`` (n): the frequencies, those of few bits first, int64; ``probabilities`` (n): how
    probably each of them is kept, float64, in this order. Both lie on the CPU.
    """

    counts: tuple[int, ...]
    order: Tensor
    probabilities: Tensor

    @property
    def kept(self) -> int:
        """Coefficients of a block that are kept."""
        return sum(self.counts)

    def packed_bytes(self, columns: int) -> int:
        """Return the bytes of codes and scales of ``columns`` blocks, of all images and channels.

        Groups are filled up with zeros.
        """
        total = SCALE_OF_SCALES
        for bits, count in zip(BITS, self.counts, strict=True):
            groups = -(-count * columns // GROUP)
            total += groups * ((GROUP * bits + SCALE_BITS) // 8)
        return total

    def kept_bits(self, columns: int) -> int:
        """Return the bits of all that is kept of ``columns`` blocks, seed and indices too."""
        return 8 * self.packed_bytes(columns) + _SEED_BITS + _INDEX_BITS * self.kept


@dataclass(frozen=True)
class Part:
    """What a layer brings to a plan for several: ``importance`` (n) = w_f σ_f², float64, how its
    maps are cut, and how many ``maps`` it has, images times channels."""

    importance: Tensor
    blocks: Blocks
    maps: int

    @property
    def columns(self) -> int:
        """Blocks of all maps."""
        return self.maps * self.blocks.number

    @property
    def elements(self) -> int:
        """Pixels of all maps, those beyond the edge not counted."""
        return self.maps * prod(self.blocks.pixels)


def nominal_importance(blocks: Blocks) -> Tensor:
    """Return the importance of frequencies in natural images, as far as it is known unseen.

    Energy falls with the square of the frequency; the sum over a block is its size.
    """
    distances = torch.zeros(1, dtype=torch.float64)
    for side in blocks.sides:
        line = torch.arange(side, dtype=torch.float64) * (16 / side)
        distances = (distances[:, None] + line.square()[None, :]).reshape(-1)
    energies = 1 / (1 + distances)
    return energies * (blocks.size / energies.sum())


def divide(parts: Sequence[Part], bits: float) -> list[Plan]:
    """Return a plan a part that together keep ``bits`` an element, at the least variance.

    All that is kept counts, and may be 1 % more. Raises nothing: where ``bits`` are too few for
    one coefficient a block, there is one of one bit.
    """
    allowed = target = bits * sum(part.elements for part in parts)
    plans: list[Plan] = []
    for _ in range(_CORRECTIONS):
        plans = _at_most(target, parts, min(LEAST_PROBABILITY, _LEAST_SHARE * bits))
        kept = sum(plan.kept_bits(p.columns) for plan, p in zip(plans, parts, strict=True))
        if kept <= (1 + _TOLERANCE) * allowed:
            break
        target *= allowed / kept
    return plans


def _at_most(target: float, parts: Sequence[Part], least: float) -> list[Plan]:
    """Plans of one price whose codes and scales take ``target`` bits, but for whole numbers."""
    importances = torch.cat([part.importance for part in parts]).clamp_(min=0)
    columns = torch.cat([torch.full_like(p.importance, p.columns) for p in parts])
    largest = float(importances.max()) or 1.0
    importances = importances / largest + 1e-12
    low, high = -60.0, 60.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        probabilities, classes = _choose(importances, 2.0**middle, least)
        taken = float((probabilities * _COSTS[classes] * columns).sum())
        low, high = (middle, high) if taken > target else (low, middle)
    probabilities, classes = _choose(importances, 2.0**high, least)
    sizes = [part.importance.numel() for part in parts]
    return [
        _whole(*pair) for pair in zip(probabilities.split(sizes), classes.split(sizes), strict=True)
    ]


def _choose(importances: Tensor, price: float, least: float) -> tuple[Tensor, Tensor]:
    """Probabilities and classes of frequencies at a price of a bit."""
    wanted = (importances[:, None] * _EXCESS / (price * _COSTS)).sqrt_()
    probabilities = wanted.clamp_(least, 1.0)
    losses = importances[:, None] * _EXCESS / probabilities + price * probabilities * _COSTS
    classes = losses.argmin(1)
    return probabilities.gather(1, classes[:, None])[:, 0], classes


def _whole(probabilities: Tensor, classes: Tensor) -> Plan:
    """A plan that keeps whole numbers of coefficients: what is sampled is scaled down to one."""
    sampled = (probabilities < 1) & (classes == 0)
    total = float(probabilities[sampled].sum())
    if sampled.any():
        certain = int((~sampled).sum())
        count = int(total + 1e-9) or int(certain == 0)
        if count == 0:  # too few to keep one for certain: one of them, for certain
            count = 1
        probabilities = torch.where(
            sampled, _with_sum(probabilities * sampled, count, sampled), probabilities
        )
    classes = torch.where(sampled, torch.zeros_like(classes), classes)
    counts = [int(((classes == c) & ~sampled).sum()) for c in range(len(BITS))]
    counts[0] += round(float(probabilities[sampled].sum()))
    order = torch.argsort(classes, stable=True)
    return Plan(tuple(counts), order, probabilities[order])


def _with_sum(probabilities: Tensor, count: int, where: Tensor) -> Tensor:
    """``probabilities`` scaled so that they sum to ``count``, none above 1."""
    scaled = probabilities * (count / float(probabilities.sum()))
    for _ in range(64):
        over = scaled.clamp(max=1)
        missing = count - float(over.sum())
        if missing < 1e-9:
            return over
        free = where & (over < 1)
        scaled = torch.where(free, over * (1 + missing / float(over[free].sum())), over)
    return scaled.clamp(max=1)


@cached
def nominal_plan(blocks: Blocks, bits: float) -> Plan:
    """Return the plan of a layer of which nothing has been seen, for any number of maps: so many
    that seed and indices are nothing."""
    return divide([Part(nominal_importance(blocks), blocks, _MANY)], bits)[0]
