"""Dropout that keeps one bit per element, or per channel: whether it was dropped.

torch keeps the factors: as many numbers as the input has, or on a GPU as many bytes. The draws here
are torch's own, by the same operators in the same order on the same tensors, so that the same seed
gives the same outputs.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from xconv.differentiation import is_differentiated
from xconv.layout import is_channels_last
from xconv.saved.codes import like, precision, scaled, table, wide
from xconv.saved.inplace import may_not_be_overwritten
from xconv.saved.linear_maps import transposes
from xconv.saved.relu import pack_directly, pack_passing
from xconv.watching import unless_watched

_FUSED = ("cuda", "xpu")
"""Devices on which torch drops elements in one operator."""

_ALPHA = 1.7580993408473766
"""Minus the value of a SELU far below 0, as in torch."""


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Apply ``torch.nn.functional.dropout`` and keep one bit per element.

    This and the functions below are torch's own if nothing or everything is dropped, if autograd
    does not record, and under ``torch.func`` and forward-mode derivatives.
    """
    if _is_torchs(input, p, training, inplace):
        return F.dropout(input, p, training, inplace)
    return _drop(input, p, inplace=inplace)


def feature_dropout(
    dimensions: int, input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Apply ``torch.nn.functional.dropout1d``, ``2d`` or ``3d``, and keep one bit per channel."""
    if input.dim() != dimensions + 2 or _is_torchs(input, p, training, inplace):
        exact = {1: F.dropout1d, 2: F.dropout2d, 3: F.dropout3d}[dimensions]
        return exact(input, p, training, inplace)
    return _drop(input, p, of_channels=True, inplace=inplace)


def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Apply ``torch.nn.functional.alpha_dropout`` and keep one bit per element."""
    if _is_torchs(input, p, training, inplace):
        return F.alpha_dropout(input, p, training, inplace)
    return _drop(input, p, is_alpha=True, inplace=inplace)


def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Apply ``torch.nn.functional.feature_alpha_dropout`` and keep one bit per channel."""
    if input.dim() < 2 or _is_torchs(input, p, training, inplace):
        return F.feature_alpha_dropout(input, p, training, inplace)
    return _drop(input, p, of_channels=True, is_alpha=True, inplace=inplace)


def _is_torchs(input: Tensor, p: float, training: bool, inplace: bool) -> bool:
    return (
        not training
        or not 0 < p < 1
        or not is_differentiated(input)
        or not input.is_floating_point()
        or input.numel() == 0
        or (inplace and may_not_be_overwritten(input))
    )


def _drop(
    input: Tensor,
    p: float,
    of_channels: bool = False,
    is_alpha: bool = False,
    inplace: bool = False,
) -> Tensor:
    output: Tensor = _Dropout.apply(input, p, of_channels, is_alpha, inplace)
    return output


class _Dropout(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, input: Tensor, p: float, of_channels: bool, is_alpha: bool, inplace: bool
    ) -> Tensor:
        ctx.of_channels = of_channels
        ctx.channels_last = not of_channels and is_channels_last(input)
        is_fused = input.device.type in _FUSED and not (of_channels or is_alpha or inplace)
        pack = unless_watched(pack_directly, pack_passing, input)
        ctx.how = 1 - p, _alpha_factor(p) if is_alpha else 0.0, is_fused, ctx.channels_last
        if is_fused:
            output, mask = torch.native_dropout(input, p, True)
            ctx.save_for_backward(pack(mask, ctx.channels_last))
            return output
        noise = input.new_empty(_channels(input)) if of_channels else torch.empty_like(input)
        noise.bernoulli_(1 - p)
        ctx.save_for_backward(pack(noise, ctx.channels_last))
        if inplace:
            ctx.mark_dirty(input)
        return _applied(input, noise, p, is_alpha, inplace)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        (packed,) = ctx.saved_tensors
        again = unless_watched(_drop_again, drop_again, grad_output)
        if not ctx.of_channels:
            gradient = again(grad_output, packed, *ctx.how)
        else:
            ones = grad_output.new_ones(_channels(grad_output))
            gradient = grad_output * again(ones, packed, *ctx.how)
        return gradient, None, None, None, None


def _channels(input: Tensor) -> tuple[int, ...]:
    """Return the shape of a tensor with one number for each channel of each image."""
    return (*input.shape[:2], *(1 for _ in input.shape[2:]))


def _alpha_factor(p: float) -> float:
    return 1 / math.sqrt((_ALPHA * _ALPHA * p + 1) * (1 - p))


def _applied(input: Tensor, noise: Tensor, p: float, is_alpha: bool, inplace: bool) -> Tensor:
    """Return what torch makes of ``noise``, which is 0 where an element is dropped, else 1."""
    shift = None
    if is_alpha:
        factor = _alpha_factor(p)
        shift = noise.add(-1).mul_(_ALPHA * factor).add_(_ALPHA * factor * p)
        noise.mul_(factor)
    else:
        noise.div_(1 - p)
    output = input.mul_(noise) if inplace else input * noise
    return output if shift is None else output.add_(shift)


def _drop_again(
    gradient: Tensor,
    packed: Tensor,
    kept: float,
    factor: float,
    is_fused: bool,
    channels_last: bool,
) -> Tensor:
    """Return ``gradient`` times the factors of the forward pass.

    The factor is 0 where the bit of an element, in memory order, is not set; elsewhere it is
    ``factor``, or 1/``kept`` if ``factor`` is 0. torch rounds it to the dtype of the gradient,
    except in its fused operator.
    """
    dtype = precision(gradient.dtype) if is_fused else gradient.dtype
    numbers = table((0.0, 1.0), dtype, gradient.device)
    numbers = numbers.mul(factor) if factor else numbers.div(kept)
    return scaled(gradient, packed, wide(numbers), 1, channels_last, False)


drop_again = torch.library.custom_op("xconv::drop_again", _drop_again, mutates_args=())


@drop_again.register_fake
def _(
    gradient: Tensor,
    packed: Tensor,
    kept: float,
    factor: float,
    is_fused: bool,
    channels_last: bool,
) -> Tensor:
    return like(gradient, channels_last)


transposes(drop_again, drop_again)
