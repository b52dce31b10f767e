"""Activations described by their slopes: two, told by a bit, or a range, which is rounded.

An activation with two slopes is kept exactly, in one bit per element. For the others each slope is
rounded at random to one of 2^b evenly spaced levels, Δ apart. A slope d at the position v = (d −
low)/Δ becomes the level q = ⌊v + u⌋, u uniform in [0, 1):

    E[d̂] = low + E[q] Δ = d,   variance f (1 − f) Δ² ≤ Δ²/4,  f = v mod 1.

The gradient of an element, g d̂ for an output gradient g, therefore has the mean g d and the
variance g² f (1 − f) Δ². There is a level at the slopes 0 and 1, at which a curve saturates, so
these have no error.

Slopes are those of torch's own backward pass, which is asked for the gradient to ones. Where that
makes some comparisons, ``xconv.native.slopes`` makes the same ones.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from math import ceil, inf
from typing import Any

import torch
from torch import Tensor

Parameters = tuple[float, ...]
"""Arguments of an activation besides its input."""

_aten = torch.ops.aten


@dataclass(frozen=True)
class TwoSlopes:
    """An activation of two slopes, the second of which it has in a region."""

    slope: Callable[..., Tensor]
    """Function from inputs and parameters to slopes."""
    slopes: Callable[..., tuple[float, float]]
    """Function from parameters to both slopes, the first of which is exact in every dtype."""
    region: str
    """Region of inputs, NaN excepted, as ``xconv.native.slopes`` names it."""
    bounds: Callable[..., tuple[float, float]]
    """Function from parameters to the bounds of the region."""


@dataclass(frozen=True)
class Range:
    """An activation whose slopes fill a range, with numbered levels from 0 to the highest."""

    slope: Callable[..., Tensor]
    """Function from inputs and parameters to slopes, or to numbers from which positions follow."""
    grid: Callable[[int], tuple[float, float]]
    """Function from the highest level to scale and shift.

    A position among the levels is a slope times the scale plus the shift, limited to the levels.
    """
    levels: Callable[..., tuple[float, ...]]
    """Function from the highest level and parameters to the slopes of all levels."""

    def positions(self, input: Tensor, top: int, *parameters: float) -> Tensor:
        """Return the positions of the slopes at ``input`` among levels from 0 to ``top``."""
        scale, below = self.grid(top)
        return self.slope(input, *parameters).mul_(scale).add_(below).clamp_(0, top)


def _between(low: float, high: float, slope: Callable[..., Tensor]) -> Range:
    """Return the range from ``low`` to ``high``, with a level at 0, and one at 1 if inside."""

    @cache
    def grid(top: int) -> tuple[float, float]:
        """Return 1/Δ, and the number of levels below 0."""
        unit, count = min(high, 1.0), top
        while ceil(-low / unit * count) + ceil(high / unit * count) > top:
            count -= 1
        return count / unit, ceil(-low / unit * count)

    @lru_cache(maxsize=64)
    def levels(top: int, *_: float) -> tuple[float, ...]:
        scale, below = grid(top)
        return tuple((level - below) / scale for level in range(top + 1))

    return Range(slope, grid, levels)


def _exponential(coefficients: Callable[..., tuple[float, float, float]]) -> Range:
    """Return the range of slopes s x for x > 0 and s a exp(c x) otherwise.

    The last level stands for the slope s, and the others for s a times evenly spaced numbers from 0
    to 1. ``coefficients`` returns s, a and c.
    """

    def exponential(input: Tensor, *parameters: float) -> Tensor:
        _, _, inner = coefficients(*parameters)
        return input.mul(inner).exp_().masked_fill_(input > 0, inf)

    def levels(top: int, *parameters: float) -> tuple[float, ...]:
        outer, alpha, inner = coefficients(*parameters)
        slopes = (outer * alpha * inner * level / (top - 1) for level in range(top))
        return (*slopes, outer)

    return Range(exponential, lambda top: (top - 1, 0), levels)


def _slope(backward: Any, *fixed: Any) -> Callable[..., Tensor]:
    """Return a function that finds slopes by an operator of torch's backward pass.

    The operator takes the input of the activation.
    """

    def slope(input: Tensor, *parameters: float) -> Tensor:
        found: Tensor = backward(torch.ones_like(input), input, *parameters, *fixed)
        return found

    return slope


def _of_output(backward: Any, activation: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    """Return a function that finds slopes by an operator of torch's backward pass.

    The operator takes the output of the activation.
    """

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
"""One sixth as torch has it, in float32 even for double precision."""

STEPS: dict[str, TwoSlopes] = {
    "hardtanh": TwoSlopes(
        _slope(_aten.hardtanh_backward), lambda *_: (0.0, 1.0), "inside", lambda *both: both
    ),
    "leaky_relu": TwoSlopes(
        _slope(_aten.leaky_relu_backward, False), lambda slope: (1.0, slope), "up_to",
        lambda _: (0.0, 0.0),
    ),
    "hardsigmoid": TwoSlopes(
        _slope(_aten.hardsigmoid_backward), lambda: (0.0, _SIXTH), "inside", lambda: (-3.0, 3.0)
    ),
    "threshold": TwoSlopes(
        _slope(_aten.threshold_backward), lambda *_: (0.0, 1.0), "outside",
        lambda limit: (-inf, limit),
    ),
    "hardshrink": TwoSlopes(
        _slope(_aten.hardshrink_backward), lambda *_: (0.0, 1.0), "outside",
        lambda size: (-size, size),
    ),
    "softshrink": TwoSlopes(
        _slope(_aten.softshrink_backward), lambda *_: (0.0, 1.0), "outside",
        lambda size: (-size, size),
    ),
}  # fmt: skip
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
