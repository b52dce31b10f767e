"""Multi-channel probes in which each channel uses only some of the columns (paper: Multi-Ortho).

Channel c is nonzero in n of the r columns and scaled there by √(r/n), so that ``E[Z Zᵀ] = r·I``
still holds. With r ≥ 8·C the columns of two channels are disjoint and channels do not interfere;
below that the columns are drawn at random and overlap. The sketch is that of multi, B × r.
"""

import torch
from torch import Tensor

from xconv.layout import Layout
from xconv.random import random_normal
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
        weights = _column_weights(seed, layout, probes)[:, columns].t().to(chunk.dtype)
        return chunk.mul_(weights[(..., *[None] * (chunk.dim() - 2))])


def _column_weights(seed: Tensor, layout: Layout, total: int) -> Tensor:
    """(C, r): √(r/n) in the n columns that a channel uses, 0 elsewhere."""
    channels = layout.shape[1]
    if total >= _COLUMNS_A_CHANNEL * channels:
        used = total // channels
        columns = torch.arange(channels * used, device=layout.device).view(channels, used)
    else:
        used = min(_COLUMNS_A_CHANNEL, total)
        keys = random_normal(seed, _CHOICE_STREAM, channels * total, torch.float32, layout.device)
        columns = keys.view(channels, total).argsort(dim=1)[:, :used]
    weights = torch.zeros(channels, total, device=layout.device)
    return weights.scatter_(1, columns, (total / used) ** 0.5)
