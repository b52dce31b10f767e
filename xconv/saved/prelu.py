"""PReLU, whose weight has a gradient too: exact signs, and negative inputs in a few bits.

The input gradient is the output gradient, times the weight where the input is not above 0; one bit
tells which. The weight gradient is the sum of g x over the elements x that are not above 0, for
output gradients g, and is linear in x. In groups of neighbours with the largest |x| = m, an element
is kept as the level q = ⌊v + u⌋ at v = |x| (2^b − 2)/m, u uniform in [0, 1). There are 2^b codes:
2^b − 1 for levels, and code 0 for x > 0. So

    E[x̂] = −E[q] m/(2^b − 2) = x,   variance f (1 − f) (m/(2^b − 2))²,  f = v mod 1

and the weight gradient is unbiased. With a frozen weight one bit per element is enough.
"""

from math import prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from xconv import autocast
from xconv.bits import pack, pieces
from xconv.differentiation import is_differentiated, is_recording, may_run_again, needed
from xconv.layout import from_memory_order, in_memory_order, is_channels_last
from xconv.packing import pack_codes, unpack_codes
from xconv.random import draw_seed, takes_seed
from xconv.saved.codes import FLOATS, bytes_of, padded, place, rounded, wide

GROUP = 256
"""Neighbouring elements that share a scale."""


def prelu(input: Tensor, weight: Tensor, bits: int = 4) -> Tensor:
    """Return ``torch.nn.functional.prelu(input, weight)``, and keep ``bits`` bits per element.

    It is torch's own if autograd does not record, and under ``torch.func`` and forward-mode
    derivatives. A call makes one draw from torch's default generator, as a convolution does.
    """
    draws = input.is_floating_point() and takes_seed(weight)
    seed = draw_seed() if draws and (is_recording() or may_run_again()) else None
    input = autocast.cast(input)
    fits = input.dim() > 1 and input.dtype == autocast.cast(weight).dtype  # else torch raises
    if not fits or not input.is_floating_point() or not is_differentiated(input, weight):
        with torch._C.DisableTorchFunction():  # keeps a mode from drawing again
            return F.prelu(input, weight)
    output: Tensor = _PReLU.apply(input, weight, seed if weight.requires_grad else None, bits)
    return output


class _PReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor, weight: Tensor, seed: Tensor | None, bits: int) -> Tensor:
        ctx.channels_last, ctx.bits = is_channels_last(input), bits if seed is not None else 1
        kept = keep_negatives(input, seed, ctx.bits, ctx.channels_last)
        ctx.save_for_backward(weight, *kept)
        return F.prelu(input, weight)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        weight, packed, scales = ctx.saved_tensors
        needs_input, needs_weight = needed(ctx, 2)
        grad_input = grad_weight = None
        if needs_weight:
            grad_weight = sum_negatives(
                grad_output, packed, scales, weight, ctx.bits, ctx.channels_last
            )
        if needs_input:
            channels = (-1, *(1 for _ in grad_output.shape[2:]))
            slope = weight.to(grad_output.dtype)
            slope = slope if weight.numel() == 1 else slope.view(channels)
            passes = passing(grad_output, packed, ctx.bits, ctx.channels_last)
            grad_input = torch.where(passes, grad_output, slope * grad_output)
        return grad_input, grad_weight, None, None


@torch.library.custom_op("xconv::keep_negatives", mutates_args=())
def keep_negatives(
    input: Tensor, seed: Tensor | None, bits: int, channels_last: bool
) -> tuple[Tensor, Tensor]:
    """Return packed codes (uint8) of ``input`` in memory order, and scales (float32).

    There is one scale per group. With one bit, codes say whether an element is not above 0, and
    there are no scales.
    """
    packed, scales = _kept_like(input, bits)
    flat = in_memory_order(input, channels_last).view(-1)
    for stream, piece in enumerate(pieces(flat.numel(), input.device, FLOATS)):
        is_above = flat[piece] > 0
        if seed is None:
            packed[place(piece, 1)] = pack(is_above.logical_not_())
            continue
        sizes = wide(flat[piece]).clamp(max=0).neg_()
        sizes = F.pad(sizes, (0, -sizes.numel() % GROUP)).view(-1, GROUP)
        largest = sizes.amax(1, keepdim=True)
        tiny = torch.finfo(torch.float32).tiny
        positions = sizes.div_(largest.clamp(min=tiny)).mul_(2**bits - 2).view(-1)
        codes = rounded(positions[: is_above.numel()], seed, stream).add_(1)
        packed[place(piece, bits)] = pack_codes(padded(codes.masked_fill_(is_above, 0)), bits)
        scales[_groups(piece)] = largest.view(-1)
    return packed, scales


@keep_negatives.register_fake
def _(input: Tensor, seed: Tensor | None, bits: int, channels_last: bool) -> tuple[Tensor, Tensor]:
    return _kept_like(input, bits)


@torch.library.custom_op("xconv::passing", mutates_args=())
def passing(grad_output: Tensor, packed: Tensor, bits: int, channels_last: bool) -> Tensor:
    """Return whether each input was above 0, bool, shaped as ``grad_output``."""
    mask = torch.empty_like(in_memory_order(grad_output, channels_last), dtype=torch.bool)
    flat = mask.view(-1)
    for piece in pieces(flat.numel(), flat.device, FLOATS):
        codes = unpack_codes(packed[place(piece, bits)], bits)
        flat[piece] = codes[: piece.stop - piece.start] == 0
    return from_memory_order(mask, channels_last)


@passing.register_fake
def _(grad_output: Tensor, packed: Tensor, bits: int, channels_last: bool) -> Tensor:
    ordered = in_memory_order(grad_output, channels_last)
    return from_memory_order(torch.empty_like(ordered, dtype=torch.bool), channels_last)


@torch.library.custom_op("xconv::sum_negatives", mutates_args=())
def sum_negatives(
    grad_output: Tensor,
    packed: Tensor,
    scales: Tensor,
    weight: Tensor,
    bits: int,
    channels_last: bool,
) -> Tensor:
    """Return the gradient of ``weight``, in its dtype; its derivative raises RuntimeError."""
    flat = in_memory_order(grad_output, channels_last).view(-1)
    channels, inner = weight.numel(), 1 if channels_last else prod(grad_output.shape[2:])
    total = wide(weight.detach()).new_zeros(channels)
    for piece in pieces(flat.numel(), flat.device, FLOATS):
        codes = unpack_codes(packed[place(piece, bits)], bits)[: piece.stop - piece.start]
        levels = codes.to(total.dtype).sub_(1).clamp_(min=0).div_(2 - 2**bits)
        steps = scales[_groups(piece)].repeat_interleave(GROUP)[: levels.numel()]
        products = levels.mul_(steps).mul_(flat[piece])
        if channels == 1:
            total += products.sum()
        else:
            elements = torch.arange(piece.start, piece.stop, device=flat.device)
            total.index_add_(0, elements.floor_divide_(inner).remainder_(channels), products)
    return total.to(weight.dtype)


@sum_negatives.register_fake
def _(grad_output: Tensor, packed: Tensor, scales: Tensor, weight: Tensor, *_: object) -> Tensor:
    return torch.empty_like(weight)


def _refuse(ctx: Any, gradient: Tensor) -> None:
    raise RuntimeError(
        "the gradient of a PReLU's weight was found from rounded inputs and has no derivative; for "
        "derivatives of it leave this layer exact (skip= of xconv.convert)"
    )


sum_negatives.register_autograd(_refuse)


def _kept_like(input: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    count = input.numel()
    packed = input.new_empty(bytes_of(count, bits), dtype=torch.uint8)
    groups = 0 if bits == 1 else -(-count // GROUP)
    return packed, input.new_empty(groups, dtype=torch.float32)


def _groups(piece: slice) -> slice:
    """Return the slice of scales that belong to ``piece``."""
    return slice(piece.start // GROUP, -(-piece.stop // GROUP))
