"""Systematic sampling of frequencies, so that every call keeps the same number of them."""

from __future__ import annotations

import torch
from torch import Tensor

from xconv.cached import simulated
from xconv.native import spectral as native
from xconv.native.library import library_for
from xconv.random import mixed, uniform
from xconv.watching import is_unwatched

_STREAM = -4


def draw_frequencies(
    seed: Tensor, order: Tensor, probabilities: Tensor, count: int
) -> tuple[Tensor, Tensor]:
    """Return ``count`` kept frequencies (int16), and 1/p of each (float32), on the CPU.

    This is one operator, ``xconv::draw_frequencies``, where something traces or simulates.
    """
    if is_unwatched(seed):
        return _drawn(seed, order, probabilities, count)
    return _draw_frequencies(seed, simulated(order), simulated(probabilities), count)


def _drawn(seed: Tensor, order: Tensor, probabilities: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return the frequencies and weights.

    One number, uniform in [0, 1), decides for all: frequency f of ``order`` is kept with its
    probability, those of probability 1 always. ``probabilities`` sum to ``count``.
    """
    library = library_for(seed, order, probabilities)
    if library is not None and (order.dtype, probabilities.dtype) == (torch.int64, torch.float64):
        own = mixed(seed, _STREAM)
        return native.draw_frequencies(library, probabilities, order, count, own)
    chance = uniform(seed, _STREAM, 1, torch.float64, seed.device)
    ends = probabilities.cumsum(0)
    ticks = torch.arange(count, dtype=torch.float64) + chance
    found = torch.searchsorted(ends, ticks.clamp_(max=count - 1e-9), right=True)
    found.clamp_(max=len(order) - 1)
    return order[found].to(torch.int16), probabilities[found].reciprocal().float()


_draw_frequencies = torch.library.custom_op("xconv::draw_frequencies", _drawn, mutates_args=())


@_draw_frequencies.register_fake
def _(seed: Tensor, order: Tensor, probabilities: Tensor, count: int) -> tuple[Tensor, Tensor]:
    return order.new_empty(count, dtype=torch.int16), order.new_empty(count, dtype=torch.float32)
