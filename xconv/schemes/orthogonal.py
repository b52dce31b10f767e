"""Multi-channel probes in which each channel uses only some of the columns (paper: Multi-Ortho).

Channel c is nonzero in n of the r columns and scaled there by √(r/n), so that ``E[Z Zᵀ] = r·I``
still holds. With r ≥ 8·C the columns of two channels are disjoint and channels do not interfere;
below that the columns are drawn at random and overlap. The sketch is that of multi, B × r.
"""

import torch
from torch import Tensor

from xconv.layout import Layout
from xconv.random import random_words
from xconv.schemes.multi import Multi

_COLUMNS_A_CHANNEL = 8
_CHOICE_STREAM = -1


class Orthogonal(Multi):
    """Multi with a mask of channels over columns."""

    name = "orthogonal"

    def draw(
        self, seed: Tensor, columns: slice, probes: int, layout: Layout, distribution: str
    ) -> Tensor:
        """Multi's probes, each channel scaled where it is used and zero elsewhere."""
        chunk = super().draw(seed, columns, probes, layout, distribution)
        weights = _weights(seed, columns, probes, layout)
        return chunk.mul_(weights[(..., *[None] * (chunk.dim() - 2))])


def _weights(seed: Tensor, columns: slice, total: int, layout: Layout) -> Tensor:
    """(columns, C): √(r/n) where a channel uses a column, 0 elsewhere."""
    channels = layout.shape[1]
    column = torch.arange(columns.start, columns.stop, device=layout.device)[:, None]
    if total >= _COLUMNS_A_CHANNEL * channels:
        used = total // channels
        uses = column // used == torch.arange(channels, device=layout.device)
    else:
        used = min(_COLUMNS_A_CHANNEL, total)
        uses = (_choice(seed, used, total, layout) == column[..., None]).any(-1)
    return uses.to(layout.dtype).mul_((total / used) ** 0.5)


def _choice(seed: Tensor, used: int, total: int, layout: Layout) -> Tensor:
    """(C, n): the columns that each channel uses, one drawn from each of n parts of equal size."""
    channels = layout.shape[1]
    edges = torch.arange(used + 1, device=layout.device) * total // used
    words = random_words(seed, _CHOICE_STREAM, channels * used, torch.int64, layout.device)
    return edges[:-1] + words.view(channels, used).remainder(edges.diff())
