"""Division of a layer's bits among the frequencies of its input.

Coefficient f of a block has the mean energy σ_f². It is kept with probability p_f in b_f bits,
scaled by 1/p_f. It costs p_f c_f bits, with c_f = b_f plus its share of a scale, and adds to the
variance of the weight gradient

    w_f (σ_f² (1 + V(b_f)) / p_f − σ_f²),

with w_f the energy of the output gradient at this frequency, and V the relative variance of
rounding. For a price λ of a bit, the sum of variance and λ·bits is least for

    p_f = min(1, √(w_f σ_f² (1 + V) / (λ c_f)))

and the b_f that is then cheapest. One λ for all layers of a network minimises the sum over all of
them for its bits. Below p = 1 one bit is always the cheapest, so only that class is sampled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from xconv.cached import cached
from xconv.spectrum.blocks import Blocks
from xconv.spectrum.rounding import GROUP, SCALE_BITS, VARIANCES

BITS = tuple(VARIANCES)
"""Bits that a kept coefficient may take."""
LEAST_PROBABILITY = 1 / 64
"""Smallest probability of a frequency, so that no weight 1/p grows without bound."""

_COSTS = torch.tensor([bits + SCALE_BITS[bits] / GROUP for bits in BITS], dtype=torch.float64)
_EXCESS = torch.tensor([1 + VARIANCES[bits] for bits in BITS], dtype=torch.float64)
_HALVINGS = 60
_NUMBER_BITS = 16


@dataclass(frozen=True)
class BlockPlan:
    """The frequencies that a layer keeps, how probably, and in how many bits.

    ``counts`` are the numbers of coefficients of a block that are kept, by ``BITS``, the same in
    every draw. ``order`` (n), int64, lists the frequencies, those of few bits first.
    ``probabilities`` (n), float64, are those of ``order``. Both tensors are on the CPU.
    """

    counts: tuple[int, ...]
    order: Tensor
    probabilities: Tensor

    @property
    def kept(self) -> int:
        """Return the number of coefficients of a block that are kept."""
        return sum(self.counts)

    @property
    def bits_a_block(self) -> float:
        """Return the bits of a block of one channel, including shares of scales."""
        return float((torch.tensor(self.counts, dtype=torch.float64) * _COSTS).sum())


@dataclass(frozen=True)
class Contribution:
    """The contribution of one layer to a common plan.

    ``importance`` (n), float64, is w_f σ_f². The numbers of blocks and of elements are those of all
    images and channels; there are fewer elements than the blocks cover if blocks extend over an
    edge. Schemes that ignore frequencies use the mean ``energy`` of an element, the mean ``weight``
    of a frequency, and the ``shape`` of the input: images, channels, pixels. No coefficient takes
    more than ``most_bits``.
    """

    importance: Tensor
    blocks: int
    elements: int
    energy: float = 0.0
    weight: float = 0.0
    shape: tuple[int, int, int] = (1, 1, 1)
    most_bits: int = max(BITS)


def nominal_importance(blocks: Blocks) -> Tensor:
    """Return the assumed importance of frequencies, as in natural images.

    Energy falls with the square of the frequency; the sum over a block is its size.
    """
    distances = torch.zeros(1, dtype=torch.float64)
    for side in blocks.sides:
        line = torch.arange(side, dtype=torch.float64) * (16 / side)
        distances = (distances[:, None] + line.square()[None, :]).reshape(-1)
    energies = 1 / (1 + distances)
    return energies * (blocks.size / energies.sum())


def divide(parts: Sequence[Contribution], bits: float) -> list[BlockPlan]:
    """Return a plan for each part: least total variance for at most ``bits`` per element.

    If there are too few bits for one coefficient per block, the plan has one of one bit.
    """
    room = bits * sum(part.elements for part in parts)
    covered = sum(part.blocks * part.importance.numel() for part in parts)
    least = min(LEAST_PROBABILITY, room / covered / 4)
    importances = torch.cat([part.importance for part in parts]).clamp_(min=0)
    blocks = torch.cat([torch.full_like(p.importance, p.blocks) for p in parts])
    largest = float(importances.max()) or 1.0
    importances = importances / largest + 1e-12
    limits = torch.cat([torch.full_like(p.importance, p.most_bits) for p in parts])
    barred = torch.tensor(BITS, dtype=torch.float64) > limits[:, None]
    low, high = -60.0, 60.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        probabilities, classes = _choose(importances, 2.0**middle, least, barred)
        taken = float((probabilities * _COSTS[classes] * blocks).sum())
        low, high = (middle, high) if taken > room else (low, middle)
    probabilities, classes = _choose(importances, 2.0**high, least, barred)
    sizes = [part.importance.numel() for part in parts]
    columns = (each.split(sizes) for each in (probabilities, classes, importances))
    choices = [
        _Choice(chances, kinds, needs, part.blocks)
        for chances, kinds, needs, part in zip(*columns, parts, strict=True)
    ]
    return _filled(choices, room)


def _choose(
    importances: Tensor, price: float, least: float, barred: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the probabilities and classes of frequencies at a price of a bit.

    Probabilities are ``least`` or more. ``barred`` (frequencies, classes) excludes classes.
    """
    wanted = (importances[:, None] * _EXCESS / (price * _COSTS)).sqrt_()
    probabilities = wanted.clamp_(least, 1.0)
    losses = importances[:, None] * _EXCESS / probabilities + price * probabilities * _COSTS
    classes = losses.masked_fill_(barred, torch.inf).argmin(1)
    return probabilities.gather(1, classes[:, None])[:, 0], classes


@dataclass(frozen=True)
class _Choice:
    """The best that one layer could do if parts of a coefficient could be kept."""

    probabilities: Tensor
    classes: Tensor
    importances: Tensor
    blocks: int

    @property
    def sampled(self) -> Tensor:
        """Return which frequencies are sampled."""
        return self.probabilities < 1

    @property
    def missing(self) -> float:
        """Return the part of a coefficient that sampling lacks to keep one."""
        total = float(self.probabilities[self.sampled].sum())
        return 1 - total if 0 < total < 1 else 0.0

    def whole(self, more: int = 0) -> BlockPlan:
        """Return the plan that samples the whole number of coefficients below, and some ``more``.

        At least one is sampled, if any are.
        """
        return _rounded(self.probabilities, self.classes, self.sampled, more)

    def cheaper(self) -> BlockPlan:
        """Return the plan in which one coefficient is sampled though only a part of it has room.

        Either a certain one takes its chance with the others, or one takes fewer bits and makes
        room, whichever loses less.
        """
        sampled, classes, importances = self.sampled, self.classes, self.importances
        if sampled.all():
            return self.whole()
        last = int(importances.masked_fill(sampled, torch.inf).argmin())
        chosen = sampled.clone()
        chosen[last] = True
        one_bit = torch.where(chosen, torch.zeros_like(classes), classes)
        chance = _rounded(self.probabilities, one_bit, chosen)
        room = (_COSTS[classes][:, None] - _COSTS) >= self.missing * float(_COSTS[0])
        losses = importances[:, None] * (_EXCESS - _EXCESS[classes][:, None])
        losses = losses.masked_fill_(~room | sampled[:, None], torch.inf)
        place, lower = divmod(int(losses.argmin()), len(BITS))
        if losses[place, lower] == torch.inf:
            return chance
        lowered = classes.index_fill(0, torch.tensor(place), lower)
        fewer = _rounded(self.probabilities, lowered, sampled)
        return min(fewer, chance, key=lambda plan: _variance(plan, importances))


def _filled(choices: Sequence[_Choice], room: float) -> list[BlockPlan]:
    """Return plans that keep whole numbers of coefficients, in at most ``room`` bits together.

    Numbers are rounded down, and layers that sample less than one coefficient make room for it.
    Then, as long as there is room, the layer that gains most for its bits samples one more.
    """
    plans = [c.cheaper() if c.missing else c.whole() for c in choices]
    left = room - sum(map(_taken, plans, (c.blocks for c in choices)))
    steps = [0] * len(plans)
    ahead = [_increase(c, plan, 0) for c, plan in zip(choices, plans, strict=True)]
    while True:
        fitting = [i for i, step in enumerate(ahead) if step.bits <= left]
        if not fitting:
            return plans
        best = max(fitting, key=lambda i: ahead[i].gain)
        plans[best], left, steps[best] = ahead[best].plan, left - ahead[best].bits, steps[best] + 1
        ahead[best] = _increase(choices[best], plans[best], steps[best])


def _taken(plan: BlockPlan, blocks: int) -> float:
    """Return the bits that a plan takes in a layer, those of the frequencies' numbers included."""
    return plan.bits_a_block * blocks + _NUMBER_BITS * plan.kept


@dataclass(frozen=True)
class _Increase:
    """A larger plan, the ``bits`` that it takes more, infinite if none is better, and its gain."""

    plan: BlockPlan
    bits: float
    gain: float


def _increase(choice: _Choice, plan: BlockPlan, step: int) -> _Increase:
    """Return the increase of ``plan``, to which ``step`` of them have led."""
    larger = choice.whole(step if choice.missing else step + 1)
    bits = _taken(larger, choice.blocks) - _taken(plan, choice.blocks)
    gain = _variance(plan, choice.importances) - _variance(larger, choice.importances)
    if gain <= 0 or bits <= 0:
        return _Increase(plan, float("inf"), 0.0)
    return _Increase(larger, bits, gain * choice.blocks / bits)


def _variance(plan: BlockPlan, importances: Tensor) -> float:
    """Return what a plan adds to the variance."""
    kept = torch.tensor(plan.counts)
    kept[0] += plan.order.numel() - int(kept.sum())
    excess = _EXCESS.repeat_interleave(kept)
    return float((importances[plan.order] * (excess / plan.probabilities - 1)).sum())


def _rounded(probabilities: Tensor, classes: Tensor, sampled: Tensor, more: int = 0) -> BlockPlan:
    """Return the plan with the sum of ``sampled`` probabilities rounded down, to at least one.

    ``more`` is added to it, up to the number of those that are sampled.
    """
    count = 0
    classes = torch.where(sampled, torch.zeros_like(classes), classes)
    if sampled.any():
        count = max(1, int(float(probabilities[sampled].sum()) + 1e-9)) + more
        count = min(count, int(sampled.sum()))
        probabilities = torch.where(
            sampled, _with_sum(probabilities * sampled, count, sampled), probabilities
        )
    counts = [int(((classes == c) & ~sampled).sum()) for c in range(len(BITS))]
    counts[0] += count
    order = torch.argsort(classes, stable=True)
    return BlockPlan(tuple(counts), order, probabilities[order])


def _with_sum(probabilities: Tensor, count: int, where: Tensor) -> Tensor:
    """Return ``probabilities`` scaled so that they sum to ``count``, none above 1."""
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
def nominal_plan(blocks: Blocks, bits: float, most_bits: int = max(BITS)) -> BlockPlan:
    """Return the plan of a layer that has not been observed."""
    importance, pixels = nominal_importance(blocks), prod(blocks.pixels)
    return divide([Contribution(importance, blocks.number, pixels, most_bits=most_bits)], bits)[0]


def most_bits(dtype: torch.dtype) -> int:
    """Return the bits that a coefficient of an input of ``dtype`` may take: half of its own."""
    return max(bits for bits in BITS if bits <= 4 * dtype.itemsize)
