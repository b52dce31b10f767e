"""Groups of numbers given back by the rounding of the spectral scheme."""

import torch
from torch import Tensor

from xconv.spectrum.rounding import GROUP, decode


def given_back(packed: Tensor, scales: Tensor, bits: int, turn: Tensor) -> Tensor:
    """Return (m, GROUP) numbers for the codes and scales of ``encode``."""
    groups = torch.empty(len(scales), GROUP)
    decode(packed, scales, bits, turn, groups)
    return groups
