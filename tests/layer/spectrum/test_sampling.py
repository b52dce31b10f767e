"""Each frequency is kept with its probability, and always the same number of them."""

from functools import cache

import pytest
import torch
from statistics_checker import check_mean
from torch import Tensor

from xconv.spectrum.blocks import blocks_of
from xconv.spectrum.plan import Part, Plan, divide, nominal_plan
from xconv.spectrum.sampling import draw_frequencies

SEEDS = 5000
"""Indicators of rare frequencies are skewed: by 8 at p = 1/64, for which the checker's rate of
false alarms, 1e-8, grows by 90 at this many samples."""


def steep() -> Plan:
    importance = torch.logspace(0, -9, 64, dtype=torch.float64)
    return divide([Part(importance, blocks_of((8, 8)), 1000)], 0.4)[0]


PLANS = {
    "nominal": lambda: nominal_plan(blocks_of((8, 8)), 0.5),
    "few bits": lambda: nominal_plan(blocks_of((8, 8)), 0.1),
    "many bits": lambda: nominal_plan(blocks_of((4, 6)), 3.0),
    "steep": steep,
    "one": lambda: nominal_plan(blocks_of((3, 3)), 1e-3),
}
every_plan = pytest.mark.parametrize("name", PLANS)


@cache
def draws(name: str) -> tuple[Plan, Tensor, Tensor]:
    """The plan, and frequencies and weights of all draws."""
    plan = PLANS[name]()
    pairs = [
        draw_frequencies(torch.tensor(seed), plan.order, plan.probabilities, plan.kept)
        for seed in range(SEEDS)
    ]
    return plan, torch.stack([f.long() for f, _ in pairs]), torch.stack([w for _, w in pairs])


@every_plan
def test_always_as_many_and_none_twice(name: str) -> None:
    plan, frequencies, _ = draws(name)
    assert frequencies.shape == (SEEDS, plan.kept)
    ordered = frequencies.sort(1).values
    assert bool((ordered[:, 1:] > ordered[:, :-1]).all())


@every_plan
def test_each_with_its_probability(name: str) -> None:
    plan, frequencies, _ = draws(name)
    kept = torch.zeros(SEEDS, len(plan.order), dtype=torch.float64).scatter_(1, frequencies, 1.0)
    expected = torch.empty(len(plan.order), dtype=torch.float64)
    expected[plan.order] = plan.probabilities
    check_mean(kept, expected)
    if name != "many bits":
        assert float(expected.min()) < 0.9  # or nothing was left to chance
        with pytest.raises(AssertionError):
            check_mean(kept, expected.where(expected == 1, 0.8 * expected))


@every_plan
def test_weights_are_one_over_probabilities(name: str) -> None:
    plan, frequencies, weights = draws(name)
    probabilities = torch.empty(len(plan.order), dtype=torch.float64)
    probabilities[plan.order] = plan.probabilities
    torch.testing.assert_close(weights, probabilities[frequencies].reciprocal().float())


@every_plan
def test_classes_of_more_bits_come_last_and_always(name: str) -> None:
    """So that counts of the plan are those of every draw."""
    plan, frequencies, _ = draws(name)
    later = sum(plan.counts[1:])
    if later:
        assert bool((frequencies[:, -later:] == plan.order[-later:]).all())


def test_a_draw_follows_from_its_seed() -> None:
    plan = PLANS["nominal"]()
    arguments = (plan.order, plan.probabilities, plan.kept)
    one, again = (draw_frequencies(torch.tensor(7), *arguments)[0] for _ in range(2))
    assert torch.equal(one, again) and one.dtype == torch.int16
    assert len({tuple(draw_frequencies(torch.tensor(s), *arguments)[0].tolist())
                for s in range(50)}) > 20  # fmt: skip
