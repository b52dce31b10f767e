"""All generators follow from one seed, and so does what asks the system for entropy."""

import random

import numpy as np
import torch

from xconv_bench.meters.gradient import SameRandomNumbers
from xconv_bench.randomness import repeatable_entropy, seed_generators


def drawn() -> tuple[float, ...]:
    return (
        random.random(),
        np.random.rand(),
        float(torch.rand(())),
        random.Random().random(),
        np.random.default_rng().random(),
        np.random.RandomState().rand(),
        np.random.Generator(np.random.Philox()).random(),
    )


def seeded(seed: int) -> tuple[float, ...]:
    with repeatable_entropy():
        seed_generators(seed)
        return drawn()


def test_one_seed_repeats_what_is_drawn() -> None:
    assert seeded(5) == seeded(5)
    assert not set(seeded(5)) & set(seeded(6))


def test_generators_that_are_made_one_after_another_differ() -> None:
    with repeatable_entropy(), repeatable_entropy():
        seed_generators(0)
        assert len({np.random.default_rng().random() for _ in range(9)}) == 9


def test_seeding_without_a_seed_repeats_too() -> None:
    def reseeded() -> list[float]:
        with repeatable_entropy():
            seed_generators(1)
            random.seed()
            np.random.seed()
            torch.seed()
            return [random.random(), np.random.rand(), float(torch.rand(()))]

    assert reseeded() == reseeded()


def test_outside_the_system_is_asked_again() -> None:
    before = (random.Random.seed, random.seed, torch.seed, torch.random.seed)
    seeded(0)
    assert (random.Random.seed, random.seed, torch.seed, torch.random.seed) == before
    first, second = [(random.Random().random(), np.random.default_rng().random()) for _ in "ab"]
    assert not set(first) & set(second)


def test_explicit_seeds_are_kept() -> None:
    expected = (random.Random(3).random(), np.random.default_rng(3).random())
    with repeatable_entropy():
        assert (random.Random(3).random(), np.random.default_rng(3).random()) == expected


def test_same_random_numbers_are_those_of_python_and_numpy_too() -> None:
    """And afterwards these go on where they stood, as torch's do."""
    seed_generators(8)
    expected = [random.random(), np.random.rand()]
    seed_generators(8)
    inside = []
    for _ in range(2):
        with SameRandomNumbers(4):
            inside.append((random.random(), np.random.rand(), float(torch.rand(()))))
    assert inside[0] == inside[1]
    assert [random.random(), np.random.rand()] == expected


def test_whole_numbers_that_a_network_draws_are_no_seeds() -> None:
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)  # of the estimator
        with SameRandomNumbers(4):
            found.append([int(torch.randint(10**6, ())) for _ in range(4)])
    assert found[0] == found[1]
