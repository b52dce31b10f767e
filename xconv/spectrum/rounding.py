"""Unbiased rounding of whole groups to a few bits per number: turn, round, scale.

A group v of G numbers is turned by a random rotation R, uniform over all rotations, so that its
numbers look normal whatever they were, and rounded to q, the nearest of 2^b evenly spaced levels.
The restored group is

    v̂ = s Rᵀq,  s = ‖v‖² / ⟨Rv, q⟩.

Why E[v̂] = v: let the rotation U leave v in place. Then RU is as probable as R and turns v̂ into
Uᵀv̂, so every such U leaves E[v̂] in place, and E[v̂] is a multiple of v. Since ⟨v, v̂⟩ = s⟨Rv, q⟩
= ‖v‖² always, the multiple is 1. The variance is ‖v‖² D/(1 − D), with D the error of rounding a
normal number: 0.571, 0.135, 0.039, 0.012 for 1 to 4 bits.

The scale is kept in 8 bits, itself rounded up or down at random between levels that are 4.4 %
apart, which leaves its mean. For numbers of 8 or 16 bits this would be most of the error, so their
scales are kept in 16 bits, with levels 0.02 % apart.

Sources: Vargaftik et al., "DRIVE: One-bit Distributed Mean Estimation", NeurIPS 2021, arXiv
2105.08339, theorem 1, and "EDEN", ICML 2022, arXiv 2108.08842; Stewart, "The efficient generation
of random orthogonal matrices", SIAM J. Numer. Anal. 17(3), 1980.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from xconv.native import spectral as native
from xconv.native.library import library_for_floats
from xconv.packing import pack_codes, unpack_codes
from xconv.random import gaussian, mixed, uniform
from xconv.wholes import whole

GROUP = 64
"""Numbers that are turned together and share a scale."""
SCALE_BITS = {1: 8, 2: 8, 3: 8, 4: 8, 8: 16, 16: 16}
"""Bits of the scale of a group, by the bits of its numbers."""

STEPS = {1: 1.596, 2: 0.9957, 3: 0.5860, 4: 0.3352, 8: 0.0308, 16: 1.53e-4}
"""Distance of the levels for standard normal numbers, by bits.

For few bits it has the least error; at 16 bits the levels reach to 5 standard deviations.
"""
VARIANCES = {1: 0.564, 2: 0.1302, 3: 0.0369, 4: 0.0111, 8: 7.94e-5, 16: 6.6e-9}
"""Measured variance relative to the energy of a group, by bits.

It includes the rounding of the scale, and is a little less than for normal numbers, since a group
has a finite length.
"""

_ROTATION_STREAM = -2
_SCALE_STREAMS = {8: -3, 16: -6}
_OCTAVES = 16
"""Powers of two between the largest and the smallest level of a scale."""


def rotation(seed: Tensor) -> Tensor:
    """Return a random rotation (GROUP, GROUP), float32, uniform (Haar), the same for a seed.

    It is on the CPU, where small matrices are quickest: the Q of a normal matrix, with the signs of
    R's diagonal, which make it unique.
    """
    numbers = gaussian(seed, _ROTATION_STREAM, GROUP * GROUP, torch.float32, seed.device)
    matrix = numbers.view(GROUP, GROUP)
    library = library_for_floats(matrix)
    if library is not None:
        return native.orthogonalize(library, matrix)
    q, r = torch.linalg.qr(matrix)
    return q * r.diagonal().sign()


@whole
def encode(values: Tensor, bits: int, turn: Tensor) -> tuple[Tensor, Tensor]:
    """Return packed codes (uint8) and scales (float32, one a group) of ``values`` (float32).

    Groups are GROUP values next to each other in memory; zeros complete the last one. A scale is
    that of the largest level, which is near the size of the group for any ``bits``, so scales of
    all classes share one range.
    """
    library = library_for_floats(values, turn)
    if library is not None:
        return native.encode(library, values, bits, STEPS[bits] * GROUP**-0.5, turn)
    flat = values.reshape(-1)
    turned = F.pad(flat, (0, -flat.numel() % GROUP)).view(-1, GROUP) @ turn.t()
    norms = torch.linalg.vector_norm(turned, dim=1, keepdim=True)
    half = 2 ** (bits - 1)
    unit = norms.clamp(min=torch.finfo(torch.float32).tiny).mul_(STEPS[bits] * GROUP**-0.5)
    levels = turned.div(unit).floor_().clamp_(-half, half - 1).add_(0.5)
    products = torch.bmm(turned[:, None], levels[:, :, None]).view(-1)
    packed, norms = _packed(levels, bits), norms[:, 0]
    scales = norms * (norms / products.clamp_(min=torch.finfo(torch.float32).tiny)) * half
    return packed, scales


def _packed(levels: Tensor, bits: int) -> Tensor:
    """Return ``levels``, which lie half a step beside whole numbers, as bytes; overwrites them."""
    if bits == 16:
        return levels.sub_(0.5).to(torch.int16).view(torch.uint8).view(-1)
    return pack_codes(levels.add_(2 ** (bits - 1) - 0.5).to(torch.uint8).view(-1), bits)


@whole
def decode(packed: Tensor, scales: Tensor, bits: int, turn: Tensor, into: Tensor) -> None:
    """Write numbers whose mean is ``values`` to ``into``, which is contiguous, float32."""
    library = library_for_floats(packed, scales, turn, into)
    if library is not None:
        native.decode(library, packed, scales, bits, turn, into)
        return
    if bits == 16:
        whole = packed.clone().view(torch.int16)  # a slice may be misaligned for int16
        levels = whole.view(-1, GROUP).to(torch.float32).add_(0.5)
    else:
        levels = unpack_codes(packed, bits).view(-1, GROUP).to(torch.float32)
        levels.sub_(2 ** (bits - 1) - 0.5)
    numbers = levels.mul_(scales[:, None] / 2 ** (bits - 1)) @ turn
    into.copy_(numbers.view(-1)[: into.numel()].view_as(into))


def encode_scales(scales: Tensor, largest: Tensor, seed: Tensor, bits: int = 8) -> Tensor:
    """Return codes of 8 or 16 ``bits``, as bytes, for ``scales`` (float32, from 0 to ``largest``).

    With t = 2^bits − 1, code c > 0 stands for 2^(16 (c − t) / (t + 1)) times the largest, 0 for
    zero.
    """
    library = library_for_floats(scales, largest, seed)
    if library is not None:
        own = mixed(seed, _SCALE_STREAMS[bits])
        return native.encode_scales(library, scales, largest, bits, own)
    top = 2**bits - 1
    relative = scales / largest.clamp(min=torch.finfo(torch.float32).tiny)
    octave = (top + 1) // _OCTAVES
    lower = relative.log2().mul_(octave).add_(top).floor_().clamp_(0, top - 1)
    low, high = _level(lower, top), _level(lower + 1, top)
    chance = uniform(seed, _SCALE_STREAMS[bits], scales.numel(), torch.float32, scales.device)
    codes = lower.add_(chance < (relative - low) / (high - low))
    if bits == 8:
        return codes.to(torch.uint8)
    return codes.sub_(2**15).to(torch.int16).view(torch.uint8)


def decode_scales(codes: Tensor, largest: Tensor, bits: int = 8) -> Tensor:
    """Return the scales that ``codes`` (bytes) stand for, float32."""
    library = library_for_floats(codes, largest)
    if library is not None:
        return native.decode_scales(library, codes, largest, bits)
    if bits == 16:
        numbers = codes.clone().view(torch.int16).to(torch.float32).add_(2**15)
    else:
        numbers = codes.to(torch.float32)
    return _level(numbers, 2**bits - 1).mul_(largest)


def _level(codes: Tensor, top: int) -> Tensor:
    return torch.exp2((codes - top) * (_OCTAVES / (top + 1))).mul_(codes > 0)
