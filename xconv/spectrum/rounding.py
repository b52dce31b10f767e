r"""Rounding of whole groups to a few bits a number, unbiased: turn, round, scale.

A group v of G numbers is turned by a random rotation R, uniform over all rotations, so that its
numbers look normal whatever they were, and rounded to q, the nearest of 2^b evenly spaced levels.
What is given back is

    v̂ = s Rᵀq,  s = ‖v‖² / ⟨Rv, q⟩.

Why E[v̂] = v: for every rotation U that leaves v in place RU is as probable as R, and turns v̂ into
Uᵀv̂, so that E[v̂] is left in place by all of them, hence a multiple of v; and ⟨v, v̂⟩ = s⟨Rv, q⟩ =
‖v‖² always. Its variance is ‖v‖² D/(1 − D), with D the error of rounding a normal number: 0.571,
0.135, 0.039, 0.012 for 1 to 4 bits, and a little less in groups of 64, whose numbers are those of a
point on a sphere. The scale is kept in 8 bits, itself rounded up or down at random between levels
that are 4.4 % apart, which leaves its mean.

Sources: Vargaftik et al., "DRIVE: One-bit Distributed Mean Estimation", NeurIPS 2021, arXiv
2105.08339, theorem 1, and "EDEN", ICML 2022, arXiv 2108.08842; Stewart, "The efficient generation
of random orthogonal matrices", SIAM J. Numer. Anal. 17(3), 1980.
"""

import torch
from torch import Tensor

from xconv.random import gaussian, uniform
from xconv.spectrum.packing import pack_codes, unpack_codes

GROUP = 64
"""Numbers that are turned together and share a scale."""
SCALE_BITS = 8

STEPS = {1: 1.596, 2: 0.9957, 3: 0.5860, 4: 0.3352, 8: 0.0308}
"""Distance of the levels for standard normal numbers, by bits: that of least error."""
VARIANCES = {1: 0.564, 2: 0.1302, 3: 0.0369, 4: 0.0111, 8: 0.0004}
"""Variance relative to the energy of a group, by bits, that of the scale's rounding included: the
mean over many groups and rotations, which tests hold."""

_ROTATION_STREAM = -2
_SCALE_STREAM = -3
_OCTAVE = 16
"""Levels of a scale from one power of two to the next."""
_TOP = 2**SCALE_BITS - 1


def rotation(seed: Tensor) -> Tensor:
    """Return a random rotation (GROUP, GROUP), float32, uniform (Haar), the same for a seed.

    It lies on the CPU, where small matrices are quickest: the Q of a normal matrix, with the signs
    of R's diagonal, which make it unique.
    """
    numbers = gaussian(seed, _ROTATION_STREAM, GROUP * GROUP, torch.float32, seed.device)
    q, r = torch.linalg.qr(numbers.view(GROUP, GROUP))
    return q * r.diagonal().sign()


def encode(values: Tensor, bits: int, turn: Tensor) -> tuple[Tensor, Tensor]:
    """Return packed codes (uint8) and scales (float32, one a group) of ``values`` (m, GROUP).

    What is not finite makes scales that are not.
    """
    turned = values @ turn.t()
    norms = torch.linalg.vector_norm(turned, dim=1, dtype=torch.float64)  # no square overflows
    step, half = STEPS[bits], 2 ** (bits - 1)
    unit = norms.float().clamp_(min=torch.finfo(torch.float32).tiny).mul_(step * GROUP**-0.5)
    levels = turned.div(unit[:, None]).floor_().clamp_(-half, half - 1)
    products = (turned * (levels + 0.5)).sum(1)
    codes = levels.add_(half).to(torch.uint8)
    scales = (norms * (norms / products)).masked_fill_(norms == 0, 0.0).float()
    return pack_codes(codes.view(-1), bits), scales


def decode(packed: Tensor, scales: Tensor, bits: int, turn: Tensor) -> Tensor:
    """Return (m, GROUP) numbers, float32, of mean ``values``."""
    levels = unpack_codes(packed, bits).view(-1, GROUP).to(torch.float32)
    levels.sub_(2 ** (bits - 1) - 0.5)
    return levels.mul_(scales[:, None]) @ turn


def encode_scales(scales: Tensor, seed: Tensor) -> tuple[Tensor, Tensor]:
    """Return a code of 8 bits for each of ``scales`` (float32, none negative), and the largest.

    Code c > 0 stands for 2^((c − 255)/16) of the largest, 0 for zero.
    """
    largest = scales.max()
    relative = scales / largest.clamp(min=torch.finfo(torch.float32).tiny)
    lower = relative.log2().mul_(_OCTAVE).add_(_TOP).floor_().clamp_(0, _TOP - 1)
    low, high = _level(lower), _level(lower + 1)
    chance = uniform(seed, _SCALE_STREAM, scales.numel(), torch.float32, scales.device)
    codes = lower.add_(chance < (relative - low) / (high - low))
    return codes.to(torch.uint8), largest


def decode_scales(codes: Tensor, largest: Tensor) -> Tensor:
    """Return the scales that ``codes`` (uint8) stand for, float32."""
    return _level(codes.to(torch.float32)).mul_(largest)


def _level(codes: Tensor) -> Tensor:
    return torch.exp2((codes - _TOP) / _OCTAVE).mul_(codes > 0)
