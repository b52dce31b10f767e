"""Activations that keep their slopes: one bit if there are two, else rounded to a few bits.

torch keeps the input of each, or the output if that tells the slope. ``curves`` lists the slopes of
each activation, and says why gradients from rounded ones are unbiased.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from xconv.bits import pack, packed_size, pieces
from xconv.differentiation import is_differentiated, is_recording, may_run_again
from xconv.layout import in_memory_order, is_channels_last
from xconv.native import slopes as native
from xconv.native.library import library_for_floats
from xconv.packing import pack_codes
from xconv.random import draw_seed, mixed
from xconv.saved.codes import (
    FLOATS,
    bytes_of,
    padded,
    place,
    rounded,
    scale_by_rounded,
    scale_by_rounded_directly,
    scale_directly,
    scale_gradient,
    wide,
)
from xconv.saved.curves import RANGES, STEPS, Parameters
from xconv.saved.inplace import may_not_be_overwritten
from xconv.watching import unless_watched

BITS = (4, 8)
"""Bits to which a slope may be rounded."""

_SLOPES = 4
"""Factor by which pieces of slopes are smaller than pieces of bits."""

Activation = Callable[[Tensor], Tensor]


def check_bits(bits: int) -> None:
    """Raise ValueError unless slopes can be rounded to ``bits`` bits."""
    if bits not in BITS or isinstance(bits, bool):
        raise ValueError(f"act_bits must be {' or '.join(map(str, BITS))}; got {bits!r}")


def keep_step(
    input: Tensor, name: str, parameters: Parameters, exact: Activation, inplace: bool = False
) -> Tensor:
    """Return ``exact(input)``, an activation of two slopes, and keep one bit per element.

    It is torch's own if autograd does not record, and under ``torch.func`` and forward-mode
    derivatives. ``exact`` overwrites its input if ``inplace``.
    """
    if not is_differentiated(input) or not input.is_floating_point():
        return exact(input)
    if inplace and may_not_be_overwritten(input):
        return exact(input)
    output: Tensor = _Step.apply(input, name, parameters, exact, inplace)
    return output


def keep_rounded(
    input: Tensor,
    name: str,
    parameters: Parameters,
    exact: Activation,
    inplace: bool = False,
    bits: int = BITS[0],
) -> Tensor:
    """Return ``exact(input)``, and keep the slope of each element in ``bits`` bits, unbiased.

    It is torch's own under the same circumstances as ``keep_step``. Each call in training makes one
    draw from torch's default generator, whether or not its input needs a gradient, so that both
    runs of a checkpoint find the generator in the same state.
    """
    draws = input.is_floating_point() and (is_recording() or may_run_again())
    seed = draw_seed() if draws else None
    refused = inplace and may_not_be_overwritten(input)
    if seed is None or not is_differentiated(input) or refused:
        with torch._C.DisableTorchFunction():  # keeps a mode from drawing again
            return exact(input)
    output: Tensor = _Rounded.apply(
        input, _anchor(input), seed, name, parameters, exact, inplace, bits
    )
    return output


def _anchor(input: Tensor) -> Tensor:
    """Return an empty tensor that autograd has followed from ``input``.

    The gradient has no derivative. An attempt to take one reaches the input through this tensor,
    and so raises an error for the caller.
    """
    line = input if input.dim() else input.unsqueeze(0)
    return line[:0].clone()


class _Step(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        input: Tensor,
        name: str,
        parameters: Parameters,
        exact: Activation,
        inplace: bool,
    ) -> Tensor:
        ctx.channels_last = is_channels_last(input)
        ctx.slopes = STEPS[name].slopes(*parameters)
        pack = unless_watched(_pack_steps, pack_steps, input)
        ctx.save_for_backward(pack(input, name, parameters, ctx.channels_last))
        return _applied(ctx, input, exact, inplace)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        (packed,) = ctx.saved_tensors
        zero_stays = ctx.slopes[0] == 0
        scale = unless_watched(scale_directly, scale_gradient, grad_output)
        gradient = scale(grad_output, packed, ctx.slopes, 1, ctx.channels_last, zero_stays)
        return gradient, None, None, None, None


class _Rounded(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        input: Tensor,
        anchor: Tensor,
        seed: Tensor,
        name: str,
        parameters: Parameters,
        exact: Activation,
        inplace: bool,
        bits: int,
    ) -> Tensor:
        ctx.channels_last = is_channels_last(input)
        ctx.name, ctx.bits = name, bits
        ctx.levels = RANGES[name].levels(2**bits - 1, *parameters)
        keep = unless_watched(_round_slopes, round_slopes, input)
        packed, flag = keep(input, seed, name, parameters, bits, ctx.channels_last)
        ctx.save_for_backward(packed, flag, anchor)
        return _applied(ctx, input, exact, inplace)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        packed, flag, anchor = ctx.saved_tensors
        scale = unless_watched(scale_by_rounded_directly, scale_by_rounded, grad_output)
        gradient = scale(
            grad_output, packed, flag, anchor, ctx.levels, ctx.bits, ctx.channels_last, ctx.name
        )
        return gradient, *(None for _ in range(7))


def _applied(ctx: Any, input: Tensor, exact: Activation, inplace: bool) -> Tensor:
    output = exact(input)
    if inplace:
        ctx.mark_dirty(input)
        return input
    return output


def _pack_steps(
    input: Tensor, name: str, parameters: Sequence[float], channels_last: bool
) -> Tensor:
    """Return one bit for each element of ``input`` in memory order: which slope it has."""
    steps = STEPS[name]
    first, _ = steps.slopes(*parameters)
    flat = in_memory_order(input, channels_last).view(-1)
    packed = torch.empty(packed_size(flat.numel()), dtype=torch.uint8, device=input.device)
    if native.pack_where(flat, packed, steps.region, *steps.bounds(*parameters)):
        return packed
    for piece in pieces(flat.numel(), input.device, FLOATS):
        slopes = steps.slope(wide(flat[piece]), *parameters)
        packed[place(piece, 1)] = pack(slopes != first)
    return packed


pack_steps = torch.library.custom_op("xconv::pack_steps", _pack_steps, mutates_args=())
"""The same as one operator, which a compiler leaves whole and a simulation runs as one."""


@pack_steps.register_fake
def _(input: Tensor, name: str, parameters: Sequence[float], channels_last: bool) -> Tensor:
    return input.new_empty(packed_size(input.numel()), dtype=torch.uint8)


def _round_slopes(
    input: Tensor,
    seed: Tensor,
    name: str,
    parameters: Sequence[float],
    bits: int,
    channels_last: bool,
) -> tuple[Tensor, Tensor]:
    """Return the slopes of ``input`` in memory order, rounded and packed, and a flag.

    The flag (float32, 0-d) is NaN if any slope is, else 0.
    """
    top, range_of = 2**bits - 1, RANGES[name]
    flat = in_memory_order(input, channels_last).view(-1)
    packed = torch.empty(bytes_of(flat.numel(), bits), dtype=torch.uint8, device=input.device)
    flag = torch.zeros((), device=input.device)
    some = list(pieces(flat.numel(), input.device, _SLOPES))
    seeds = [mixed(seed, stream) for stream in range(len(some))]
    library, grid = library_for_floats(flat, packed, flag), range_of.grid(top)
    if name == "hardswish" and library is not None and native.is_hardswish_known() and some:
        native.round_hardswish(library, flat, packed, flag, bits, seeds, some[0].stop, *grid)
        if not flag.isnan():
            return packed, flag
        flag.zero_()
    for stream, piece in enumerate(some):
        own, numbers = packed[place(piece, bits)], wide(flat[piece])
        if library is not None:
            slopes = range_of.slope(numbers, *parameters)
            native.round_slopes(library, slopes, own, flag, bits, seeds[stream], *grid)
        else:
            positions = range_of.positions(numbers, top, *parameters)
            flag += positions.sum() * 0
            own.copy_(pack_codes(padded(rounded(positions, seed, stream)), bits))
    return packed, flag


round_slopes = torch.library.custom_op("xconv::round_slopes", _round_slopes, mutates_args=())
"""The same as one operator, which a compiler leaves whole and a simulation runs as one."""


@round_slopes.register_fake
def _(
    input: Tensor,
    seed: Tensor,
    name: str,
    parameters: Sequence[float],
    bits: int,
    channels_last: bool,
) -> tuple[Tensor, Tensor]:
    packed = input.new_empty(bytes_of(input.numel(), bits), dtype=torch.uint8)
    return packed, input.new_empty((), dtype=torch.float32)
