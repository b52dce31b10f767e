"""In which order samples come: a function of seed and epoch alone."""

from __future__ import annotations

from collections.abc import Iterator

import torch


def generator(*numbers: int) -> torch.Generator:
    """Return a generator of its own for these numbers; torch's global one is left alone."""
    seed = 0
    for number in numbers:
        seed = (seed * 1_000_003 + number + 1) % 2**63
    return torch.Generator().manual_seed(seed)


def shuffled_batches(count: int, batch_size: int, seed: int, epoch: int) -> Iterator[torch.Tensor]:
    """Yield the numbers of the samples of each whole batch of an epoch."""
    order = torch.randperm(count, generator=generator(seed, epoch))
    for start in range(0, count - batch_size + 1, batch_size):
        yield order[start : start + batch_size]


def split(count: int, test_part: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the numbers of samples to train on and to test on: the same whatever the seed."""
    order = torch.randperm(count, generator=generator(count))
    tested = round(count * test_part)
    return order[tested:].sort().values, order[:tested].sort().values
