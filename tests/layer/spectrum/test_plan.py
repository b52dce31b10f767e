"""Plans keep within their bits, and what they say of probabilities is what they count."""

from itertools import pairwise
from math import prod

import pytest
import torch
from geometries import DRAWN
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from xconv.spectrum.blocks import Blocks, blocks_of
from xconv.spectrum.plan import BITS, Part, Plan, divide, nominal_importance, nominal_plan
from xconv.spectrum.rounding import VARIANCES

SIZES = [(64,), (130,), (8, 8), (9, 7), (16, 16), (17, 33), (3, 5), (4, 4, 4), (9, 9, 9)]
every_size = pytest.mark.parametrize("pixels", SIZES, ids=str)
ALLOWED = 1.011
"""Bits taken over those asked for; the plan's tolerance is 1 %."""


def part(pixels: tuple[int, ...], maps: int, importance: Tensor | None = None) -> Part:
    blocks = blocks_of(pixels)
    return Part(nominal_importance(blocks) if importance is None else importance, blocks, maps)


def taken(parts: list[Part], plans: list[Plan]) -> float:
    """Bits an element, of all that is kept."""
    bits = sum(plan.kept_bits(p.columns) for p, plan in zip(parts, plans, strict=True))
    return bits / sum(p.elements for p in parts)


def classes(plan: Plan) -> Tensor:
    """The class of bits of each frequency of ``order``, read off the counts: those of more bits
    than the first class are certain, and come last."""
    later = sum(plan.counts[1:])
    result = torch.zeros(len(plan.order), dtype=torch.int64)
    place = len(plan.order) - later
    for number, count in enumerate(plan.counts[1:], 1):
        result[place : place + count] = number
        place += count
    return result


def variance(part: Part, plan: Plan) -> float:
    """What the plan adds to the variance of the weight gradient, by the formula."""
    excess = torch.tensor([1 + VARIANCES[b] for b in BITS], dtype=torch.float64)[classes(plan)]
    importance = part.importance[plan.order]
    return part.columns * float((importance * (excess / plan.probabilities - 1)).sum())


def assert_sound(plan: Plan, size: int) -> None:
    assert sorted(plan.order.tolist()) == list(range(size))
    assert plan.order.dtype == torch.int64 and plan.probabilities.dtype == torch.float64
    assert float(plan.probabilities.min()) > 0 and float(plan.probabilities.max()) <= 1
    assert len(plan.counts) == len(BITS) and min(plan.counts) >= 0
    assert plan.kept == sum(plan.counts) >= 1
    for number, count in enumerate(plan.counts):
        members = plan.probabilities[classes(plan) == number]
        assert float(members.sum()) == pytest.approx(count, abs=1e-8)
        assert number == 0 or bool((members == 1).all())


def importances(size: int, slope: float, seed: int) -> Tensor:
    """Energies that span many powers of ten, in no order."""
    generator = torch.Generator().manual_seed(seed)
    return torch.exp(slope * torch.randn(size, dtype=torch.float64, generator=generator))


@settings(DRAWN, max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from(SIZES), st.integers(16, 3000)), min_size=1, max_size=3),
    st.floats(0.05, 8),
    st.floats(0, 6),
    st.integers(0, 9),
)
def test_plans_are_sound_and_keep_within_their_bits(
    layers: list[tuple[tuple[int, ...], int]], bits: float, slope: float, seed: int
) -> None:
    parts = [
        part(pixels, maps, importances(blocks_of(pixels).size, slope, seed + place))
        for place, (pixels, maps) in enumerate(layers)
    ]
    plans = divide(parts, bits)
    for p, plan in zip(parts, plans, strict=True):
        assert_sound(plan, p.blocks.size)
    least = sum(Plan((1, 0, 0, 0, 0), plans[0].order, plans[0].probabilities)
                .kept_bits(p.columns) for p in parts) / sum(p.elements for p in parts)  # fmt: skip
    assert taken(parts, plans) <= max(ALLOWED * bits, 1.5 * least)


@every_size
@pytest.mark.parametrize("bits", [0.1, 0.25, 0.5, 1, 2, 4, 8], ids=lambda n: f"{n} bits")
def test_bits_are_used_up_where_they_have_use(pixels: tuple[int, ...], bits: float) -> None:
    """Up to the five bits of one coefficient; more never, but for one bit in blocks of few."""
    size = blocks_of(pixels).size
    p = part(pixels, 20000, importances(size, 2, 0))
    plan = divide([p], bits)[0]
    coefficient = p.blocks.number / prod(pixels)
    assert bits - 5 * coefficient <= taken([p], [plan])
    assert taken([p], [plan]) <= max(ALLOWED * bits, 1.15 * coefficient)


@pytest.mark.parametrize("pixels", [p for p in SIZES if prod(p) >= 64], ids=str)
@pytest.mark.parametrize("bits", [0.1, 0.25, 0.5, 1, 4], ids=lambda n: f"{n} bits")
def test_indices_and_pixels_beyond_the_edge_count(pixels: tuple[int, ...], bits: float) -> None:
    """In a tensor of 16384 elements two bytes a frequency are a fifth of all bytes."""
    p = part(pixels, -(-(2**14) // prod(pixels)))
    assert taken([p], divide([p], bits)) <= ALLOWED * bits
    uncounted = taken([p], [nominal_plan(p.blocks, bits)])
    if pixels == (16, 16):
        assert uncounted > ALLOWED * bits  # or there would be nothing to count


@every_size
def test_more_bits_have_less_variance(pixels: tuple[int, ...]) -> None:
    p = part(pixels, 5000)
    dials = [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4]
    plans = [divide([p], bits)[0] for bits in dials]
    variances = [variance(p, plan) for plan in plans]
    assert all(a >= b for a, b in pairwise(variances))
    assert variances[-1] < 0.01 * variances[0]
    kept = [plan.kept for plan in plans]
    assert kept == sorted(kept)


def test_no_exchange_between_frequencies_is_worth_it() -> None:
    """Twice the importance never has a smaller probability, nor fewer bits."""
    size = 256
    p = part((16, 16), 5000, importances(size, 3, 0))
    for bits in (0.1, 0.5, 2):
        plan = divide([p], bits)[0]
        descending = p.importance[plan.order].argsort(descending=True)
        ordered = plan.probabilities[descending]
        assert bool((ordered[:-1] >= ordered[1:] - 1e-12).all())
        widths = classes(plan)[descending]
        assert bool((widths[:-1] >= widths[1:]).all())


def test_one_price_is_better_than_equal_bits() -> None:
    """And the layer with more importance an element gets more bits."""
    parts = [part((16, 16), 4000), part((8, 8), 400, 1000 * nominal_importance(blocks_of((8, 8))))]
    together = divide(parts, 0.5)
    apart = [divide([p], 0.5)[0] for p in parts]
    assert taken(parts, together) <= ALLOWED * 0.5
    assert taken(parts[1:], together[1:]) > 1 > 0.5 > taken(parts[:1], together[:1])
    total = [sum(map(variance, parts, plans)) for plans in (together, apart)]
    assert total[0] < 0.5 * total[1]


def test_only_ratios_of_importance_count() -> None:
    parts = [part((16, 16), 300, importances(256, 2, 0)), part((64,), 900, importances(64, 2, 1))]
    plans = divide(parts, 0.5)
    for factor in (1e-30, 1e30):
        scaled = [Part(factor * p.importance, p.blocks, p.maps) for p in parts]
        for plan, other in zip(plans, divide(scaled, 0.5), strict=True):
            assert plan.counts == other.counts and torch.equal(plan.order, other.order)
            torch.testing.assert_close(plan.probabilities, other.probabilities)


DEGENERATE = {
    "zeros": torch.zeros(64, dtype=torch.float64),
    "one": torch.eye(64, dtype=torch.float64)[9],
    "equal": torch.ones(64, dtype=torch.float64),
    "negative by rounding": torch.full((64,), -1e-30, dtype=torch.float64),
    "tiny": torch.full((64,), 1e-300, dtype=torch.float64),
    "huge": torch.logspace(250, 300, 64, dtype=torch.float64),
}


@pytest.mark.parametrize("importance", DEGENERATE.values(), ids=DEGENERATE)
@pytest.mark.parametrize("bits", [0.02, 0.5, 8], ids=lambda n: f"{n} bits")
def test_degenerate_importances(importance: Tensor, bits: float) -> None:
    p = part((8, 8), 3000, importance.clone())
    plan = divide([p], bits)[0]
    assert_sound(plan, 64)
    assert taken([p], [plan]) <= ALLOWED * bits
    torch.testing.assert_close(p.importance, importance, rtol=0, atol=0)


def test_all_energy_in_one_frequency() -> None:
    p = part((8, 8), 3000, DEGENERATE["one"])
    plan = divide([p], 0.5)[0]
    place = plan.order.tolist().index(9)
    assert plan.probabilities[place] == 1 and int(classes(plan)[place]) == len(BITS) - 1


@every_size
@pytest.mark.parametrize("bits", [1e-6, 1e-3, 0.01], ids=str)
def test_where_bits_are_too_few_there_is_one_coefficient(
    pixels: tuple[int, ...], bits: float
) -> None:
    p = part(pixels, 100000)
    plan = divide([p], bits)[0]
    assert_sound(plan, p.blocks.size)
    assert (plan.kept == 1 and plan.counts[0] == 1) or taken([p], [plan]) <= ALLOWED * bits


@every_size
def test_nominal_plans(pixels: tuple[int, ...]) -> None:
    blocks: Blocks = blocks_of(pixels)
    importance = nominal_importance(blocks)
    assert float(importance.sum()) == pytest.approx(blocks.size)
    assert int(importance.argmax()) == 0
    plan = nominal_plan(blocks, 0.5)
    assert_sound(plan, blocks.size)
    assert nominal_plan(blocks, 0.5) is plan


def test_kept_bits_by_hand() -> None:
    """30 blocks: 90 coefficients of one bit are two groups, 60 of eight bits are one."""
    plan = Plan((3, 0, 0, 0, 2), torch.arange(16), torch.ones(16, dtype=torch.float64))
    groups = 2 * (64 // 8 + 1) + 1 * (64 + 1)
    assert plan.packed_bytes(30) == groups + 4
    assert plan.kept_bits(30) == 8 * (groups + 4) + 64 + 16 * 5
