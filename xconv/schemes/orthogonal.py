"""Multi-channel probes in which each channel uses only some columns (paper: Multi-Ortho).

Channel c is nonzero in n_c of the r columns and scaled there by √(r/n_c), so that ``E[Z Zᵀ] = r·I``
still holds, whichever columns these are. The sketch is that of ``multi``, B × r.

Two channels disturb one another in the columns that they share, and a channel adds 1/n_c to its own
error. With equal energies E and N pixels per channel, the sum of both is

    E‖error‖² = N E Σ_j (Σ_{c uses j} 1/n_c)².

It is least, and equals C/r times the energy as for ``multi``, if every column carries the same
load. So columns are dealt out evenly, in an order drawn at random:

- from r = 2·C on, the columns are dealt to the channels one at a time in turn, so that no two
  channels share any;
- below, each channel gets eight columns, one channel after the other, so that the numbers of
  channels in two columns differ by at most one; up to r = 8 every channel has all columns, as in
  ``multi``.

The error is at most 2.1 % above that of ``multi``. With eight columns per channel up to r = 8·C, as
in the paper, it would be up to 6.1 % above near r = 6·C, where some columns have two channels and
others one.

Source: arXiv 2106.06998, section 3.
"""

import torch
from torch import Tensor

from xconv.layout import Layout
from xconv.random import random_words
from xconv.schemes.multi import Multi

_COLUMNS_A_CHANNEL = 8
_COLUMNS_OF_ITS_OWN = 2
"""Columns per channel from which on no two channels share any."""
_ORDER_STREAM = -1


class Orthogonal(Multi):
    """The scheme ``multi`` with a mask of channels over columns.

    >>> layer = XConv2d(3, 8, 3, scheme="orthogonal", probes=64)
    >>> layer(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 8, 30, 30])
    """

    name = "orthogonal"

    def draw(
        self, seed: Tensor, columns: slice, probes: int, layout: Layout, distribution: str
    ) -> Tensor:
        """Return the probes of ``multi``, scaled where a channel is used and zero elsewhere."""
        chunk = super().draw(seed, columns, probes, layout, distribution)
        uses = _uses(seed, probes, layout)
        shares = uses.sum(0, dtype=torch.promote_types(layout.dtype, torch.float32)).div_(probes)
        weights = (uses[columns] / shares.sqrt_()).to(layout.dtype)
        return chunk.mul_(weights[(..., *[None] * (chunk.dim() - 2))])


def _uses(seed: Tensor, total: int, layout: Layout) -> Tensor:
    """Return a bool tensor (r, C) of the columns that each channel uses."""
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
