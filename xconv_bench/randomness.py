"""Random numbers that networks draw, from whatever generator: all follow from one seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

_NUMPY_SEEDS = 2**32

_entropy = random.Random(0)
"""Stands for the system's source of entropy, inside ``repeatable_entropy``."""


def seed_generators(seed: int) -> None:
    """Start torch's generators, Python's and numpy's from ``seed``, and those without a seed."""
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % _NUMPY_SEEDS)
    _entropy.seed(seed)


@contextmanager
def python_and_numpy_put_back() -> Iterator[None]:
    """Put Python's and numpy's generators back at the end to where they were."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


@contextmanager
def repeatable_entropy() -> Iterator[None]:
    """Give what is made or seeded without a seed one that follows from ``seed_generators``.

    ``numpy.random.default_rng()``, ``random.Random()``, ``torch.seed()`` and their like ask the
    system for entropy, and a network that does so would be another one in every run.
    """
    places: tuple[tuple[Any, str, Callable[..., Any]], ...] = (
        (np.random.bit_generator, "randbits", _entropy.getrandbits),
        (random.Random, "seed", _seed),
        (random, "seed", _seed_python),
        (torch, "seed", _seed_torch),
        (torch.random, "seed", _seed_torch),
    )
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in places]
    if before[1][2] is _seed:  # entered already
        yield
        return
    for owner, name, function in places:
        setattr(owner, name, function)
    try:
        yield
    finally:
        for owner, name, function in before:
            setattr(owner, name, function)


_seed_of_python: Callable[..., None] = random.Random.seed


def _seed(self: random.Random, a: Any = None, version: int = 2) -> None:
    _seed_of_python(self, _entropy.getrandbits(64) if a is None else a, version)


def _seed_python(a: Any = None, version: int = 2) -> None:
    random._inst.seed(a, version)


def _seed_torch() -> int:
    seed = _entropy.getrandbits(63)
    torch.manual_seed(seed)
    return seed
