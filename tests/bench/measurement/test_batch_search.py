"""The largest batch among the sizes that a network takes."""

from collections.abc import Callable
from itertools import accumulate

import pytest
from geometries import DRAWN
from heard import outcome_of
from hypothesis import example, given, settings
from hypothesis import strategies as st
from own_networks import name

from xconv_bench.configuration import Configuration
from xconv_bench.errors import BenchError
from xconv_bench.measurement.batch_search import (
    REACH,
    Found,
    Refused,
    largest_batch,
    limit,
    words_on_refusals,
)
from xconv_bench.measurement.largest_batch import LargestBatch

TAKEN: dict[str, Callable[[int], bool]] = {
    "all": lambda size: True,
    "from 2 on": lambda size: size >= 2,
    "up to 4 and multiples of 4": lambda size: size <= 4 or size % 4 == 0,
    "squares": lambda size: round(size**0.5) ** 2 == size,
    "up to 50": lambda size: size <= 50,
    "8 alone": lambda size: size == 8,
}
PEAKS: dict[str, Callable[[int], int]] = {
    "affine": lambda size: 1000 + 30 * size,
    "flat, then steep": lambda size: max(5000, 2 * size, 400 * (size - 90)),
    "steep, then flat": lambda size: min(300 * size, 29_000 + size),
    "in steps": lambda size: 512 * (size // 7),
    "quadratic": lambda size: size * size,
    "a jump": lambda size: 10**9 if size > 50 else size,
}
growing = st.lists(st.integers(0, 400), min_size=200, max_size=200).map(
    lambda steps: list(accumulate(steps, initial=1)).__getitem__
)
"""Peaks that grow with the batch size somehow."""
refusing = st.sets(st.integers(1, 200), max_size=40).map(
    lambda sizes: lambda size: size not in sizes
)
"""Networks that refuse some sizes, never ``REACH`` in a row."""


@example(TAKEN["all"], PEAKS["affine"], 1, 900)
@example(TAKEN["all"], PEAKS["affine"], 1030, 1)
@settings(DRAWN, max_examples=400)
@given(
    st.sampled_from([*TAKEN.values()]) | refusing,
    st.sampled_from([*PEAKS.values()]) | growing,
    st.integers(1, 40_000),
    st.integers(1, 200),
)
def test_the_search_finds_what_counting_finds(
    taken: Callable[[int], bool], peak: Callable[[int], int], budget: int, most: int
) -> None:
    asked: list[int] = []

    def noted(size: int) -> int:
        asked.append(size)
        if not taken(size):
            raise Refused("not this")
        return peak(size)

    sizes = [size for size in range(1, most + 1) if taken(size)]
    if not sizes:
        with pytest.raises(BenchError, match=r"^not this \(with a batch of 1, and so with all"):
            largest_batch(noted, budget, most)
        return
    found = largest_batch(noted, budget, most)
    fitting = [size for size in sizes if peak(size) <= budget]
    beyond = [size for size in sizes if peak(size) > budget]
    assert found.size == max(fitting, default=0)
    assert found.peak == peak(found.size or sizes[0])
    assert found.beyond in (beyond[0] if beyond else None, None)
    assert found.is_end or found.beyond == (beyond[0] if beyond else None)
    assert set(found.refused) == {size for size in asked if not taken(size)}
    assert len(asked) == len(set(asked)) <= 30 + 5 * REACH
    if not found.refused:  # nothing is told that was not seen
        assert {found.size or 1, min(found.size + 1, most)} <= set(asked)
        assert len(asked) <= 30


def test_a_network_that_takes_no_more_ends_the_search() -> None:
    def peak(size: int) -> int:
        if size > 50:
            raise Refused("positions end at 50")
        return size

    found = largest_batch(peak, 10**6, 10**6)
    assert (found.size, found.is_end, limit(found, ())) == (50, True, "network")


def test_why_a_batch_is_no_larger() -> None:
    refused = {5: "divisible by 4, please", 9: "no"}
    found = Found(4, 100, 8, refused, False)
    assert limit(found, ()) == "memory" and limit(found, {8}) == "elements"
    assert limit(Found(4, 100, None, refused, False), ()) == "max"
    assert words_on_refusals(found) == (
        "the network refuses some batch sizes, which are skipped; the first is 5: "
        "divisible by 4, please"
    )
    assert words_on_refusals(Found(4, 100, 8, {}, False)) == ""


def test_statistics_over_groups_of_four() -> None:
    """A layer of generative networks, whose batch must be divisible."""
    cell = Configuration(name("groups_of_four"), image_size=12)
    outcome = outcome_of(LargestBatch(cell, 2**20, most=5000))
    found = outcome.readings
    size = found["max_batch_size"]
    assert size % 4 == 0 and 4 < size < 5000 and found["limited_by"] == "memory"
    assert found["simulated_peak_bytes"] <= 2**20
    next_one = outcome_of(LargestBatch(cell, 2**30, most=size + 7)).readings
    assert next_one["max_batch_size"] == size + 4 and next_one["limited_by"] == "max"
    assert next_one["simulated_peak_bytes"] > 2**20
    assert outcome.message.startswith(
        "the network refuses some batch sizes, which are skipped; the first is 1: RuntimeError: "
    )


def test_a_network_that_always_fails_says_why() -> None:
    with pytest.raises(BenchError, match=r"^RuntimeError: .*\(with a batch of 1, and so with all"):
        list(LargestBatch(Configuration(name("never_fits"), image_size=12), 2**20, most=9)())
