"""Minibatches: without repeats, independent of each other, all of the data once in a partition."""

from collections.abc import Sequence
from itertools import chain
from math import inf

import pytest

from xconv_bench.data.batches import Batch
from xconv_bench.data.minibatches import minibatch_apart, partition, random_minibatches
from xconv_bench.data.samples import FirstSamples, Samples
from xconv_bench.errors import UsageError


def test_each_minibatch_is_its_own_draw_without_repeats() -> None:
    drawn = list(random_minibatches(20, 15, count=3, seed=0))
    assert all(len(set(each)) == 15 and set(each) <= set(range(20)) for each in drawn)
    assert len({tuple(each) for each in drawn}) == 3
    assert list(random_minibatches(20, 15, count=2, seed=0)) == drawn[:2]
    assert list(random_minibatches(20, 15, count=1, seed=1)) != drawn[:1]


def test_every_sample_is_drawn_equally_often() -> None:
    """Binomial: 1000 ± 6.5 standard deviations, false alarms below 1e-8 for 20 samples."""
    counts = [0] * 20
    for indices in random_minibatches(20, 5, count=4000, seed=0):
        for index in indices:
            counts[index] += 1
    assert all(abs(count - 1000) < 6.5 * (4000 * 0.25 * 0.75) ** 0.5 for count in counts)


def test_a_partition_holds_all_samples_once() -> None:
    parts = partition(10, 4, seed=0)
    assert [len(part) for part in parts] == [4, 4, 2]
    assert sorted(chain.from_iterable(parts)) == list(range(10))
    assert parts == partition(10, 4, seed=0) != partition(10, 4, seed=1)


def test_a_batch_larger_than_the_data() -> None:
    with pytest.raises(UsageError, match="a batch of 11 is larger than the data, which has 10"):
        partition(10, 11, seed=0)
    with pytest.raises(UsageError, match="take a smaller --batch-size"):
        next(random_minibatches(10, 11, 1, seed=0))


class Numbers(Samples):
    """Samples that nobody looks at."""

    def __init__(self, count: int, reach: float) -> None:
        self.count = count
        self._reach = reach

    def __len__(self) -> int:
        return self.count

    @property
    def reach(self) -> float:
        return self._reach

    def batch(self, indices: Sequence[int]) -> Batch:
        raise NotImplementedError


def test_a_minibatch_apart_shares_nothing_where_the_data_allow_it() -> None:
    data = Numbers(20, 20)
    found = minibatch_apart(data, 8, 0, range(12))
    assert set(found) == set(range(12, 20))
    assert found == minibatch_apart(data, 8, 0, range(12)) != minibatch_apart(data, 8, 1, range(12))
    assert found != minibatch_apart(data, 8, 0, ())


@pytest.mark.parametrize(
    ("data", "known", "shared"),
    [
        (Numbers(20, inf), {18, 19}, 0),  # made as they are asked for
        (FirstSamples(Numbers(99, 99), 20), {18, 19}, 0),  # the user's are the first 20
        (Numbers(20, 23), {18, 19, 20, 21, 22}, 3),
        (Numbers(20, 20), {18, 19}, 6),
    ],
    ids=["endless", "first", "some more", "no more"],
)
def test_where_too_few_are_left(data: Samples, known: set[int], shared: int) -> None:
    """Samples beyond the data come before samples that are taken."""
    found = minibatch_apart(data, 8, 0, range(18))
    assert len(set(found)) == 8
    assert len(set(found) & set(range(18))) == shared
    if shared:
        assert known <= set(found)
    else:
        assert min(found) >= 18 and max(found) < data.reach
