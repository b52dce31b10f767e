"""The points that no other beats, found by looking at every pair."""

import itertools

import pytest
import torch

from xconv_bench.statistics.pareto import dominator


def beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("costs", [1, 2, 3])
def test_every_beaten_point_is_beaten_by_one_of_the_front(costs: int) -> None:
    """Small whole numbers: ties of one cost, and equal points, occur."""
    generator = torch.Generator().manual_seed(costs)
    points = [tuple(p) for p in torch.randint(6, (40, costs), generator=generator).tolist()]
    found = [index for index in range(len(points)) if dominator(points, index) is None]
    assert found
    for index, point in enumerate(points):
        better = dominator(points, index)
        assert (better is None) == (not any(beats(p, point) for p in points))
        if better is not None:
            assert beats(points[better], point) and better in found
    for one, other in itertools.permutations(found, 2):
        assert not beats(points[one], points[other])


def test_nothing_is_beaten_by_nothing() -> None:
    assert [dominator([(1.0, 2.0), (1.0, 2.0)], index) for index in (0, 1)] == [None, None]
