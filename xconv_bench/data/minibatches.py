"""Minibatches as numbers of samples, the same on every machine for the same seed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from xconv_bench.data.samples import Samples
from xconv_bench.errors import UsageError

_APART = 1
"""Number of the stream of random numbers that no other minibatch comes from."""


def random_minibatches(samples: int, batch_size: int, count: int, seed: int) -> Iterator[list[int]]:
    """Yield ``count`` independent minibatches of ``batch_size`` samples, none with a repeat.

    Minibatch i follows from ``seed`` and i alone. Raises UsageError where there are too few.
    """
    _check(samples, batch_size)
    for number in range(count):
        generator = np.random.default_rng([seed, number])
        yield generator.choice(samples, batch_size, replace=False).tolist()


def minibatch_apart(
    samples: Samples, batch_size: int, seed: int, taken: Iterable[int]
) -> list[int]:
    """Return a minibatch of ``batch_size`` samples, none with a repeat, that are not ``taken``.

    Where too few of the data are left, samples beyond them are taken as well, if there are any, and
    last of all some of those that are ``taken``. It follows from the arguments alone.
    """
    count, taken = len(samples), set(taken)
    free = [number for number in range(count) if number not in taken]
    if len(free) < batch_size:
        beyond = range(count, int(min(samples.reach, count + batch_size + len(taken))))
        free += [number for number in beyond if number not in taken]
    generator = np.random.default_rng([seed, 0, _APART])
    if len(free) >= batch_size:
        return generator.choice(free, batch_size, replace=False).tolist()
    missing = batch_size - len(free)
    return [*free, *generator.choice(sorted(taken), missing, replace=False).tolist()]


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
