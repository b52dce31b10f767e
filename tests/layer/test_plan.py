"""Plans keep to their bits, spend them where they count, and are drawn as they say."""

import itertools
from math import prod

import pytest
import torch
from geometries import DRAWN
from hypothesis import given, settings
from hypothesis import strategies as st
from statistics_checker import check_mean
from torch import Tensor

from xconv.spectrum.blocks import blocks_of
from xconv.spectrum.plan import (
    BITS,
    BlockPlan,
    Contribution,
    divide,
    nominal_importance,
    nominal_plan,
)
from xconv.spectrum.rounding import GROUP, SCALE_BITS, VARIANCES
from xconv.spectrum.sampling import draw_frequencies

MAPS = [(8, 8), (4, 4), (16, 16), (17, 9), (56, 56), (2, 3), (64,), (4, 4, 4), (8, 12, 8)]
LEAST_BITS = BITS[0] + SCALE_BITS[BITS[0]] / GROUP
"""The bits of a block that keeps one coefficient."""


def part_of(pixels: tuple[int, ...], decay: float, maps: int, size: float = 1.0) -> Contribution:
    """Importances that fall with the frequency, or are all alike where ``decay`` is 0."""
    blocks = blocks_of(pixels)
    importance = size * nominal_importance(blocks) ** decay
    return Contribution(importance, maps * blocks.number, maps * prod(pixels))


parts = st.builds(
    part_of,
    st.sampled_from(MAPS),
    st.sampled_from([0.0, 0.5, 1.0, 2.0, 6.0]),
    st.integers(1, 200),
    st.sampled_from([1e-9, 0.01, 1.0, 1e6]),
)
some_bits = st.sampled_from([0.01, 0.05, 0.125, 0.25, 0.5, 1.0, 2.0, 3.3, 8.0])


def bits_of(plans: list[BlockPlan], parts: list[Contribution]) -> float:
    return sum(plan.bits_a_block * part.blocks for plan, part in zip(plans, parts, strict=True))


def variance(plan: BlockPlan, importance: Tensor) -> float:
    """Return the variance that a plan makes small, from its counts, order and probabilities."""
    classes = torch.zeros(len(plan.order), dtype=torch.int64)
    end = len(classes)
    for index in reversed(range(1, len(BITS))):
        classes[end - plan.counts[index] : end] = index
        end -= plan.counts[index]
    excess = torch.tensor([1 + VARIANCES[bits] for bits in BITS], dtype=torch.float64)[classes]
    return float((importance[plan.order] * (excess / plan.probabilities - 1)).sum())


@settings(DRAWN, max_examples=150)
@given(st.lists(parts, min_size=1, max_size=4), some_bits)
def test_a_plan_keeps_to_its_bits_and_is_one(several: list[Contribution], bits: float) -> None:
    plans = divide(several, bits)
    room = bits * sum(part.elements for part in several)
    fewest = sum(
        LEAST_BITS * part.blocks
        for plan, part in zip(plans, several, strict=True)
        if plan.kept == 1
    )
    assert bits_of(plans, several) <= room * (1 + 1e-9) + fewest
    for plan, part in zip(plans, several, strict=True):
        size = part.importance.numel()
        assert sorted(plan.order.tolist()) == list(range(size))
        assert (plan.probabilities > 0).all() and (plan.probabilities <= 1).all()
        assert float(plan.probabilities.sum()) == pytest.approx(plan.kept, abs=1e-6)
        assert 1 <= plan.kept <= size and min(plan.counts) >= 0
        certain = sum(plan.counts[1:])
        assert plan.probabilities[size - certain :].eq(1).all()


large_parts = parts.filter(
    lambda part: part.importance.numel() >= 64 and part.importance[0] > 2 * part.importance[-1]
)
"""Parts of some bits a block, and with frequencies that differ."""


@settings(DRAWN, max_examples=60)
@given(large_parts, some_bits.filter(lambda bits: bits >= 0.125))
def test_nearly_all_bits_are_spent(part: Contribution, bits: float) -> None:
    """All but those of a few coefficients that are alike: they get a bit more together or not."""
    (plan,) = divide([part], bits)
    room = min(bits * part.elements / part.blocks, max(BITS) * part.importance.numel())
    assert plan.bits_a_block >= room - 2 * (max(BITS) + 1)


@settings(DRAWN, max_examples=60)
@given(large_parts)
def test_more_bits_have_less_variance(part: Contribution) -> None:
    plans = [divide([part], bits)[0] for bits in (0.125, 0.25, 0.5, 1.0, 2.0, 4.0)]
    for fewer, more in itertools.pairwise(plans):
        assert more.bits_a_block >= fewer.bits_a_block
        least = variance(fewer, part.importance)
        assert variance(more, part.importance) <= least * (1 + 1e-9)


@settings(DRAWN, max_examples=60)
@given(parts, some_bits.filter(lambda bits: 0.25 <= bits <= 1))
def test_a_plan_is_no_worse_than_sampling_all_alike(part: Contribution, bits: float) -> None:
    (plan,) = divide([part], bits)
    size = part.importance.numel()
    kept = min(size, plan.bits_a_block / LEAST_BITS)
    alike = float(part.importance.sum()) * ((1 + VARIANCES[BITS[0]]) * size / kept - 1)
    assert variance(plan, part.importance) <= alike * 1.01


def test_a_plan_for_several_is_no_worse_than_one_for_each() -> None:
    several = [part_of((56, 56), 1.0, 256), part_of((7, 7), 1.0, 2048, size=10.0)]
    together = divide(several, 0.5)
    alone = [divide([part], 0.5)[0] for part in several]

    def total(plans: list[BlockPlan]) -> float:
        pairs = zip(plans, several, strict=True)
        return sum(variance(plan, part.importance) * part.blocks for plan, part in pairs)

    assert total(together) < 0.8 * total(alone)
    assert together[1].bits_a_block / 49 > 1.5 * together[0].bits_a_block / 256


def test_the_price_is_one_whatever_the_unit_of_importance() -> None:
    several = [part_of((16, 16), 1.0, 10), part_of((8, 8), 2.0, 30, size=4.0)]
    scaled = [Contribution(part.importance * 1e-20, part.blocks, part.elements) for part in several]
    for one, other in zip(divide(several, 0.5), divide(scaled, 0.5), strict=True):
        assert one.counts == other.counts
        torch.testing.assert_close(one.probabilities, other.probabilities, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("size", [4, 64, 256])
def test_importances_of_zero_are_all_alike(size: int) -> None:
    (plan,) = divide([Contribution(torch.zeros(size, dtype=torch.float64), 8, 8 * size)], 0.5)
    assert plan.probabilities.max() - plan.probabilities.min() < 1e-9


def test_one_frequency_that_counts_gets_the_most_bits_and_the_others_a_chance() -> None:
    importance = torch.zeros(64, dtype=torch.float64)
    importance[5] = 1.0
    (plan,) = divide([Contribution(importance, 8, 8 * 64)], 0.5)
    assert plan.order[-1] == 5 and plan.counts[-1] == 1
    assert plan.probabilities.min() > 0


def test_too_few_bits_for_one_coefficient_are_one_of_one_bit() -> None:
    (plan,) = divide([part_of((4, 4), 1.0, 3)], 0.01)
    assert plan.counts == (1, *[0] * (len(BITS) - 1))


def test_eight_bits_are_eight_bits() -> None:
    plan = nominal_plan(blocks_of((8, 8)), 8.0)
    assert plan.bits_a_block <= 8 * 64 and plan.kept == 64


def draws(plan: BlockPlan, seeds: int) -> Tensor:
    """(seeds, n): which frequencies each call keeps, by number."""
    rows = torch.zeros(seeds, len(plan.order), dtype=torch.float64)
    for seed in range(seeds):
        frequencies, weights = draw_frequencies(
            torch.tensor(seed), plan.order, plan.probabilities, plan.kept
        )
        assert (frequencies.dtype, len(frequencies)) == (torch.int16, plan.kept)
        place = torch.argsort(plan.order)[frequencies.long()]
        torch.testing.assert_close(
            weights.double(), 1 / plan.probabilities[place], rtol=1e-6, atol=0
        )
        certain = sum(plan.counts[1:])
        assert frequencies[plan.kept - certain :].equal(
            plan.order[-certain:].short() if certain else frequencies[:0]
        )
        rows[seed, frequencies.long()] = 1
    assert rows.sum(1).eq(plan.kept).all()  # none twice
    return rows


@pytest.mark.parametrize("bits", [0.05, 0.25, 1.0])
@pytest.mark.parametrize("pixels", [(4, 4), (8, 8), (40,)], ids=str)
def test_each_frequency_is_kept_with_its_probability(pixels: tuple[int, ...], bits: float) -> None:
    plan = nominal_plan(blocks_of(pixels), bits)
    rows = draws(plan, 1000)
    probabilities = torch.empty(len(plan.order), dtype=torch.float64)
    probabilities[plan.order] = plan.probabilities
    check_mean(rows, probabilities)
    if float(probabilities.min()) < 0.9:
        with pytest.raises(AssertionError, match="standard errors"):
            check_mean(rows.flip(1), probabilities)


def test_the_same_seed_keeps_the_same() -> None:
    plan = nominal_plan(blocks_of((8, 8)), 0.5)
    one, other = (
        draw_frequencies(torch.tensor(7), plan.order, plan.probabilities, plan.kept)[0]
        for _ in range(2)
    )
    assert one.equal(other)


def test_what_matters_alone_is_never_left_to_chance() -> None:
    """The output gradient has one frequency, as before a global average."""
    importance = torch.full((64,), 1e-9, dtype=torch.float64)
    importance[0] = 1.0
    for bits in (0.1, 0.2, 0.25, 0.3, 0.5, 1.0):
        (plan,) = divide([Contribution(importance, 8, 8 * 64)], bits)
        place = plan.order.tolist().index(0)
        assert plan.probabilities[place] == 1
        assert plan.bits_a_block <= bits * 64 * (1 + 1e-9)


def test_room_that_is_left_is_used() -> None:
    """A price gives a frequency that dominates either 4 bits, or more than there is room for.

    It got 4 where 8 and a chance for the others had room: a hundredfold in the variance.
    """
    importance = torch.full((49,), 1e-6, dtype=torch.float64)
    importance[0] = 1.0
    blocks = 8192
    (plan,) = divide([Contribution(importance, blocks, 49 * blocks)], 0.25)
    assert plan.counts[BITS.index(8)] == 1 and plan.counts[0] >= 2
    room = 0.25 * 49
    assert room - (1 + SCALE_BITS[1] / GROUP) - 0.01 < plan.bits_a_block <= room


def test_several_plans_fill_their_room() -> None:
    """Room that rounding leaves in each goes to those that gain most."""
    several = [part_of((8, 8), 1.0 + n, 100 + n) for n in range(7)]
    plans = divide(several, 0.25)
    room = 0.25 * sum(part.elements for part in several)
    smallest = min(part.blocks for part in several) * LEAST_BITS
    numbers = 16 * sum(plan.kept for plan in plans)
    assert room - smallest - numbers - 16 < bits_of(plans, several) <= room - numbers
