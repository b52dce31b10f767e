"""Minibatches as numbers of samples, the same on every machine for the same seed."""

from collections.abc import Iterator

import numpy as np

from xconv_bench.errors import UsageError


def random_minibatches(samples: int, batch_size: int, count: int, seed: int) -> Iterator[list[int]]:
    """Yield ``count`` independent minibatches of ``batch_size`` samples, none with a repeat.

    Minibatch i follows from ``seed`` and i alone. Raises UsageError where there are too few.
    """
    _check(samples, batch_size)
    for number in range(count):
        generator = np.random.default_rng([seed, number])
        yield generator.choice(samples, batch_size, replace=False).tolist()


def partition(samples: int, batch_size: int, seed: int) -> list[list[int]]:
    """Cut all samples, in random order, into minibatches; the last may be smaller.

    Raises UsageError where there are too few for the first.
    """
    _check(samples, batch_size)
    order = np.random.default_rng(seed).permutation(samples).tolist()
    return [order[first : first + batch_size] for first in range(0, samples, batch_size)]


def _check(samples: int, batch_size: int) -> None:
    if batch_size > samples:
        raise UsageError(
            f"a batch of {batch_size} is larger than the data, which has {samples} samples: "
            "take a smaller --batch-size"
        )
