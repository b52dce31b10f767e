"""Activations by the slopes that they have: few, which bits tell, or a range, which is rounded.

A curve with few slopes is kept exactly, in one bit an element. For others each slope is rounded at
random to one of 2^b evenly spaced levels, Δ apart. A slope d at the position v = (d − low)/Δ
becomes the level q = ⌊v + u⌋, u uniform in [0, 1):

    E[d̂] = low + E[q] Δ = d,   variance f (1 − f) Δ² ≤ Δ²/4,  f = v mod 1

so that the gradient of an element, g d̂ for an output gradient g, has the mean g d and the variance
g² f (1 − f) Δ². Where a curve saturates, at a slope of 0 or 1, there is a level, and no error.

Slopes are those of torch's own backward pass, which is asked for the gradient to ones.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Any

import torch
from torch import Tensor

Parameters = tuple[float, ...]
"""What an activation takes beside its input."""

_aten = torch.ops.aten


@dataclass(frozen=True)
class Steps:
    """An activation of two slopes."""

    slope: Callable[..., Tensor]
    """Slopes at given inputs, for parameters."""
    slopes: Callable[..., tuple[float, float]]
    """Both slopes, for parameters; the first of them is an exact number in every dtype."""


@dataclass(frozen=True)
class Range:
    """An activation whose slopes fill a range, with levels that ``positions`` numbers."""

    positions: Callable[..., Tensor]
    """Where the slopes at given inputs lie among the levels 0 … top, for a top and parameters."""
    levels: Callable[..., tuple[float, ...]]
    """The slopes that the levels stand for, for a top and parameters."""


def _between(low: float, high: float, slope: Callable[..., Tensor]) -> Range:
    """Slopes from ``low`` to ``high``, with a level at 0, and one at 1 where that is a slope."""

    def grid(top: int) -> tuple[int, float]:
        """Levels below 0, and 1/Δ."""
        unit, count = min(high, 1.0), top
        while ceil(-low / unit * count) + ceil(high / unit * count) > top:
            count -= 1
        return ceil(-low / unit * count), count / unit

    def positions(input: Tensor, top: int, *parameters: float) -> Tensor:
        below, scale = grid(top)
        return slope(input, *parameters).mul_(scale).add_(below).clamp_(0, top)

    def levels(top: int, *_: float) -> tuple[float, ...]:
        below, scale = grid(top)
        return tuple((level - below) / scale for level in range(top + 1))

    return Range(positions, levels)


def _exponential(coefficients: Callable[..., tuple[float, float, float]]) -> Range:
    """Slopes of s x for x > 0, of s a exp(c x) else; the last level stands for the former, and the
    others for s a times what lies evenly from 0 to 1. The coefficients are s, a and c."""

    def positions(input: Tensor, top: int, *parameters: float) -> Tensor:
        _, _, inner = coefficients(*parameters)
        below = input.mul(inner).exp_().mul_(top - 1)
        return below.masked_fill_(input > 0, top)

    def levels(top: int, *parameters: float) -> tuple[float, ...]:
        outer, alpha, inner = coefficients(*parameters)
        slopes = (outer * alpha * inner * level / (top - 1) for level in range(top))
        return (*slopes, outer)

    return Range(positions, levels)


def _slope(backward: Any, *fixed: Any) -> Callable[..., Tensor]:
    """The slopes that an operator of torch's backward pass tells, which takes the input."""

    def slope(input: Tensor, *parameters: float) -> Tensor:
        found: Tensor = backward(torch.ones_like(input), input, *parameters, *fixed)
        return found

    return slope


def _of_output(backward: Any, activation: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    """The same of an operator that takes the output."""

    def slope(input: Tensor) -> Tensor:
        found: Tensor = backward(torch.ones_like(input), activation(input))
        return found

    return slope


def _gelu(input: Tensor, tanh: float) -> Tensor:
    approximate = "tanh" if tanh else "none"
    found: Tensor = _aten.gelu_backward(torch.ones_like(input), input, approximate=approximate)
    return found


def _softsign(input: Tensor) -> Tensor:
    return input.abs().add_(1).pow_(-2)


def _log_sigmoid(input: Tensor) -> Tensor:
    return input.neg().sigmoid_()


_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946

_SIXTH = float(torch.tensor(1 / 6, dtype=torch.float32))
"""As torch has it, in double precision, too."""

STEPS: dict[str, Steps] = {
    "hardtanh": Steps(_slope(_aten.hardtanh_backward), lambda *_: (0.0, 1.0)),
    "leaky_relu": Steps(_slope(_aten.leaky_relu_backward, False), lambda slope: (1.0, slope)),
    "hardsigmoid": Steps(_slope(_aten.hardsigmoid_backward), lambda: (0.0, _SIXTH)),
    "threshold": Steps(_slope(_aten.threshold_backward), lambda *_: (0.0, 1.0)),
    "hardshrink": Steps(_slope(_aten.hardshrink_backward), lambda *_: (0.0, 1.0)),
    "softshrink": Steps(_slope(_aten.softshrink_backward), lambda *_: (0.0, 1.0)),
}
RANGES: dict[str, Range] = {
    "elu": _exponential(lambda alpha: (1.0, alpha, 1.0)),
    "celu": _exponential(lambda alpha: (1.0, alpha, 1 / alpha)),
    "selu": _exponential(lambda: (_SELU_SCALE, _SELU_ALPHA, 1.0)),
    "gelu": _between(-0.1290, 1.1290, _gelu),
    "silu": _between(-0.0999, 1.0999, _slope(_aten.silu_backward)),
    "mish": _between(-0.1130, 1.0893, _slope(_aten.mish_backward)),
    "hardswish": _between(-0.5, 1.5, _slope(_aten.hardswish_backward)),
    "sigmoid": _between(0.0, 0.25, _of_output(_aten.sigmoid_backward, torch.sigmoid)),
    "tanh": _between(0.0, 1.0, _of_output(_aten.tanh_backward, torch.tanh)),
    "softplus": _between(0.0, 1.0, _slope(_aten.softplus_backward)),
    "log_sigmoid": _between(0.0, 1.0, _log_sigmoid),
    "softsign": _between(0.0, 1.0, _softsign),
}
