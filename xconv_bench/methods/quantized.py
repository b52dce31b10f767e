"""Inputs of convolutions stored in a few bits a number, with stochastic rounding.

The idea of ActNN (Chen et al., "ActNN: Reducing Training Memory Footprint via 2-Bit Activation
Compressed Training", ICML 2021, arXiv 2104.14129): each group of numbers has a range of its own,
and is rounded up or down at random so that the mean is kept. The weight gradient of a convolution
is linear in its input, so that it stays unbiased. Other layers, whose gradients are not, are left.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from xconv.bits import pieces
from xconv.layout import Layout
from xconv.random import random_words
from xconv_bench.configuration import Configuration
from xconv_bench.methods.stored_inputs import InputStore, StoredInputMethod

GROUP = 256
"""Neighbouring numbers that share a range, as in ActNN."""

_RANGE_BYTES = 4
_FRACTION_BITS = 24
"""Of the random numbers in [0, 1): as many as float32 holds."""


@dataclass(frozen=True)
class Quantization(InputStore):
    """``x̂ = low + (high - low) q / (2^bits - 1)``, q a whole number, one range for each group.

    ``q = ⌊(x - low) / (high - low) (2^bits - 1) + u⌋`` with u uniform in [0, 1), so E[x̂] = x.
    """

    bits: int

    def stored_bytes(self, input: Tensor) -> int:
        """Of whole groups: the numbers, and two bounds."""
        groups = -(-input.numel() // GROUP)
        return groups * (GROUP * self.bits // 8 + 2 * _RANGE_BYTES)

    def store(self, input: Tensor, seed: Tensor) -> tuple[Tensor, ...]:
        """Packed numbers, and the two bounds of each group."""
        return quantize(input, seed, self.bits)

    def rebuild(self, stored: tuple[Tensor, ...], seed: Tensor, layout: Layout) -> Tensor:
        """The numbers within their ranges."""
        packed, bounds = stored
        return dequantize(packed, bounds, self.bits, list(layout.shape), layout.dtype)


@torch.library.custom_op("xconv_bench::quantize", mutates_args=())
def quantize(input: Tensor, seed: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """``input``, any shape, as bytes of 8 / ``bits`` numbers, (groups, GROUP · bits / 8), and the
    bounds, (groups, 2).

    One operator, some groups at a time, so that what is needed for a moment stays small.
    """
    flat = input.flatten()
    groups = -(-flat.numel() // GROUP)
    packed, bounds = _empty(groups, bits, flat.device)
    for number, piece in enumerate(pieces(flat.numel(), flat.device)):
        part = flat[piece].float()
        part = F.pad(part[None], (0, -len(part) % GROUP), "replicate")[0].view(-1, GROUP)
        rows = slice(piece.start // GROUP, piece.start // GROUP + len(part))
        low, high = part.aminmax(dim=1, keepdim=True)
        bounds[rows] = torch.cat([low, high], dim=1)
        words = random_words(seed, number, part.numel(), torch.int32, part.device)
        chance = words.bitwise_and_(2**_FRACTION_BITS - 1).view_as(part) * 2.0**-_FRACTION_BITS
        levels = (part - low) / (high - low).clamp(min=torch.finfo().tiny) * (2**bits - 1)
        whole = levels.add_(chance).floor_().clamp_(0, 2**bits - 1).to(torch.uint8)
        packed[rows] = _pack(whole, bits)
    return packed, bounds


@quantize.register_fake
def _(input: Tensor, seed: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    return _empty(-(-input.numel() // GROUP), bits, input.device)


@torch.library.custom_op("xconv_bench::dequantize", mutates_args=())
def dequantize(
    packed: Tensor, bounds: Tensor, bits: int, shape: list[int], dtype: torch.dtype
) -> Tensor:
    """The way back: a tensor of ``shape``."""
    rebuilt = torch.empty(shape, dtype=dtype, device=packed.device)
    flat = rebuilt.view(-1)
    for piece in pieces(flat.numel(), flat.device):
        rows = slice(piece.start // GROUP, -(-piece.stop // GROUP))
        low, high = bounds[rows, :1], bounds[rows, 1:]
        levels = _unpack(packed[rows], bits).float()
        numbers = levels.mul_((high - low) / (2**bits - 1)).add_(low)
        flat[piece] = numbers.view(-1)[: piece.stop - piece.start].to(dtype)
    return rebuilt


@dequantize.register_fake
def _(packed: Tensor, bounds: Tensor, bits: int, shape: list[int], dtype: torch.dtype) -> Tensor:
    return torch.empty(shape, dtype=dtype, device=packed.device)


def _empty(groups: int, bits: int, device: torch.device) -> tuple[Tensor, Tensor]:
    packed = torch.empty(groups, GROUP * bits // 8, dtype=torch.uint8, device=device)
    return packed, torch.empty(groups, 2, device=device)


def _pack(numbers: Tensor, bits: int) -> Tensor:
    """(groups, GROUP) numbers below 2^bits as (groups, GROUP · bits / 8) bytes, first lowest."""
    parts = numbers.unflatten(1, (-1, 8 // bits))
    packed = parts[..., 0].clone()
    for place in range(1, 8 // bits):
        packed |= parts[..., place] << (place * bits)
    return packed


def _unpack(packed: Tensor, bits: int) -> Tensor:
    parts = [packed >> (place * bits) & (2**bits - 1) for place in range(8 // bits)]
    return torch.stack(parts, dim=2).flatten(1)


class Quantized(StoredInputMethod):
    """``Quantization`` of the inputs of convolutions."""

    name = "quantized"
    knobs = ("bits", "compress")

    def input_store(self, configuration: Configuration) -> InputStore:
        """As many bits as ``bits`` says."""
        return Quantization(configuration.bits or 8)
