"""Inputs of the user's own: a batch is a function of the seed and of its samples' numbers."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from xconv_bench.randomness import python_and_numpy_put_back


def own_inputs(
    make: Callable[[int, int], Any], indices: Sequence[int], image_size: int, seed: int
) -> Any:
    """Draw a batch with generators that follow from ``seed`` and ``indices``; put them back."""
    digest = hashlib.blake2b(f"inputs {seed} {list(indices)}".encode(), digest_size=4).digest()
    own_seed = int.from_bytes(digest)
    before = torch.default_generator.get_state()
    try:
        with python_and_numpy_put_back():
            # Not torch.manual_seed, which would seed the generators of GPUs as well.
            torch.default_generator.manual_seed(own_seed)
            random.seed(own_seed)
            np.random.seed(own_seed)
            return make(len(indices), image_size)
    finally:
        torch.default_generator.set_state(before)


def inputs_by_sample(
    make: Callable[[int, int], Any], indices: Sequence[int], image_size: int, seed: int
) -> Any:
    """Draw each sample apart and join them: it is the same whatever batch it is in."""
    samples = [own_inputs(make, [index], image_size, seed) for index in indices]
    return tree_map(lambda *rows: torch.cat(rows), samples[0], *samples[1:])


def placed(inputs: Any, dtype: torch.dtype, device: torch.device | str = "cpu") -> Any:
    """Return the inputs on ``device``, those of real numbers in ``dtype``."""

    def place(part: Any) -> Any:
        if not isinstance(part, Tensor):
            return part
        return part.to(device, dtype if part.is_floating_point() else part.dtype)

    return tree_map(place, inputs)
