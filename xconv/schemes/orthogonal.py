"""Multi-channel probes in which each channel uses only some of the columns (paper: Multi-Ortho).

Channel c is nonzero in n_c of the r columns and scaled there by √(r/n_c), so that ``E[Z Zᵀ] = r·I``
still holds, whatever columns they are. The sketch is that of multi, B × r.

Two channels disturb one another in the columns that they share, and a channel adds to its own error
by 1/n_c. With equal energies E and N pixels a channel the sum of both is

    E‖error‖² = N E Σ_j (Σ_{c uses j} 1/n_c)²,

which is least, and C/r times the energy as multi's, where every column carries the same. So columns
are dealt out evenly, in an order drawn at random:

- from r = 2·C on the columns among the channels, one each in turn, so that no two share any;
- below, eight columns to each channel, one channel after the other, so that every column has as
  many channels as any other, or one more; up to r = 8 that is all columns, as in multi.

Their error is at most 2.1 % above multi's. With eight for each up to r = 8·C, as in the paper, it
would be up to 6.1 % near r = 6·C, where some columns have two channels and others one.
"""

import torch
from torch import Tensor

from xconv.layout import Layout
from xconv.random import random_words
from xconv.schemes.multi import Multi

_COLUMNS_A_CHANNEL = 8
_COLUMNS_OF_ITS_OWN = 2
"""Columns for each channel from which on no two share any."""
_ORDER_STREAM = -1


class Orthogonal(Multi):
    """Multi with a mask of channels over columns."""

    name = "orthogonal"

    def draw(
        self, seed: Tensor, columns: slice, probes: int, layout: Layout, distribution: str
    ) -> Tensor:
        """Return multi's probes, each channel scaled where it is used and zero elsewhere."""
        chunk = super().draw(seed, columns, probes, layout, distribution)
        uses = _uses(seed, probes, layout)
        shares = uses.sum(0, dtype=torch.promote_types(layout.dtype, torch.float32)).div_(probes)
        weights = (uses[columns] / shares.sqrt_()).to(layout.dtype)
        return chunk.mul_(weights[(..., *[None] * (chunk.dim() - 2))])


def _uses(seed: Tensor, total: int, layout: Layout) -> Tensor:
    """(r, C), bool: which columns each channel uses."""
    channels, device = layout.shape[1], layout.device
    words = random_words(seed, _ORDER_STREAM, total + channels, torch.int64, device)
    column, channel = words[:total].argsort(), words[total:].argsort()
    if total <= _COLUMNS_A_CHANNEL:
        return torch.ones(total, channels, dtype=torch.bool, device=device)
    uses = torch.zeros(total, channels, dtype=torch.bool, device=device)
    if total >= _COLUMNS_OF_ITS_OWN * channels:
        dealt = channel[torch.arange(total, device=device) % channels]
    else:
        hands = torch.arange(_COLUMNS_A_CHANNEL * channels, device=device)
        column, dealt = column[hands % total], channel[hands // _COLUMNS_A_CHANNEL]
    uses.view(-1).scatter_(0, column * channels + dealt, True)
    return uses
