"""Activation functions, in the style of ``torch.nn.functional``, that keep slopes.

Functions of two slopes keep one bit per element, and their gradients are torch's. The others keep
slopes in ``bits`` bits, 4 or 8, and their gradients are unbiased. Outputs are torch's in either
case. Any shape and floating dtype.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from xconv.saved.slopes import BITS, keep_rounded, keep_step

_BITS = BITS[0]


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """Apply ``torch.nn.functional.relu6`` and keep one bit per element."""
    return keep_step(input, "hardtanh", (0.0, 6.0), lambda x: F.relu6(x, inplace), inplace)


def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """Apply ``torch.nn.functional.hardtanh`` and keep one bit per element."""
    bounds = float(min_val), float(max_val)
    return keep_step(input, "hardtanh", bounds, lambda x: F.hardtanh(x, *bounds, inplace), inplace)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """Apply ``torch.nn.functional.leaky_relu`` and keep one bit per element."""
    slope = float(negative_slope)
    return keep_step(
        input, "leaky_relu", (slope,), lambda x: F.leaky_relu(x, slope, inplace), inplace
    )


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """Apply ``torch.nn.functional.hardsigmoid`` and keep one bit per element."""
    return keep_step(input, "hardsigmoid", (), lambda x: F.hardsigmoid(x, inplace), inplace)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """Apply ``torch.nn.functional.threshold`` and keep one bit per element."""
    bound = float(threshold)
    return keep_step(
        input, "threshold", (bound,), lambda x: F.threshold(x, bound, value, inplace), inplace
    )


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """Apply ``torch.nn.functional.hardshrink`` and keep one bit per element."""
    bound = float(lambd)
    return keep_step(input, "hardshrink", (bound,), lambda x: F.hardshrink(x, bound))


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """Apply ``torch.nn.functional.softshrink`` and keep one bit per element."""
    bound = float(lambd)
    return keep_step(input, "softshrink", (bound,), lambda x: F.softshrink(x, bound))


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False, *, bits: int = _BITS) -> Tensor:
    """Apply ``torch.nn.functional.elu`` and keep slopes in ``bits`` bits.

    Slopes of positive inputs are exact.
    """
    alpha = float(alpha)
    return keep_rounded(input, "elu", (alpha,), lambda x: F.elu(x, alpha, inplace), inplace, bits)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False, *, bits: int = _BITS) -> Tensor:
    """Apply ``torch.nn.functional.celu`` and keep slopes in ``bits`` bits, as ``elu``.

    It is torch's own unless ``alpha`` is positive, since its slopes have no bounds then.
    """
    alpha = float(alpha)
    if alpha <= 0:
        return F.celu(input, alpha, inplace)
    return keep_rounded(input, "celu", (alpha,), lambda x: F.celu(x, alpha, inplace), inplace, bits)


def selu(input: Tensor, inplace: bool = False, *, bits: int = _BITS) -> Tensor:
    """Apply ``torch.nn.functional.selu`` and keep slopes in ``bits`` bits, as ``elu``."""
    return keep_rounded(input, "selu", (), lambda x: F.selu(x, inplace), inplace, bits)


def gelu(input: Tensor, approximate: str = "none", *, bits: int = _BITS) -> Tensor:
    """Apply ``torch.nn.functional.gelu`` and keep slopes in ``bits`` bits."""
    parameters = (float(approximate == "tanh"),)
    return keep_rounded(
        input, "gelu", parameters, lambda x: F.gelu(x, approximate=approximate), bits=bits
    )


def silu(input: Tensor, inplace: bool = False, *, bits: int = _BITS) -> Tensor:
    """Apply ``torch.nn.functional.silu`` and keep slopes in ``bits`` bits."""
    return keep_rounded(input, "silu", (), lambda x: F.silu(x, inplace), inplace, bits)


def mish(input: Tensor, inplace: bool = False, *, bits: int = _BITS) -> Tensor:
    """Apply ``torch.nn.functional.mish`` and keep slopes in ``bits`` bits."""
    return keep_rounded(input, "mish", (), lambda x: F.mish(x, inplace), inplace, bits)


def hardswish(input: Tensor, inplace: bool = False, *, bits: int = _BITS) -> Tensor:
    """Apply ``torch.nn.functional.hardswish`` and keep slopes in ``bits`` bits."""
    return keep_rounded(input, "hardswish", (), lambda x: F.hardswish(x, inplace), inplace, bits)


def sigmoid(input: Tensor, inplace: bool = False, *, bits: int = _BITS) -> Tensor:
    """Apply ``torch.sigmoid``, or ``torch.sigmoid_``, and keep slopes in ``bits`` bits."""
    exact = torch.sigmoid_ if inplace else torch.sigmoid
    return keep_rounded(input, "sigmoid", (), exact, inplace, bits)


def tanh(input: Tensor, inplace: bool = False, *, bits: int = _BITS) -> Tensor:
    """Apply ``torch.tanh``, or ``torch.tanh_``, and keep slopes in ``bits`` bits."""
    exact = torch.tanh_ if inplace else torch.tanh
    return keep_rounded(input, "tanh", (), exact, inplace, bits)


def softplus(
    input: Tensor, beta: float = 1.0, threshold: float = 20.0, *, bits: int = _BITS
) -> Tensor:
    """Apply ``torch.nn.functional.softplus`` and keep slopes in ``bits`` bits."""
    given = float(beta), float(threshold)
    return keep_rounded(input, "softplus", given, lambda x: F.softplus(x, *given), bits=bits)


def log_sigmoid(input: Tensor, *, bits: int = _BITS) -> Tensor:
    """Apply ``torch.nn.functional.logsigmoid`` and keep slopes in ``bits`` bits."""
    return keep_rounded(input, "log_sigmoid", (), F.logsigmoid, bits=bits)


def softsign(input: Tensor, *, bits: int = _BITS) -> Tensor:
    """Apply ``torch.nn.functional.softsign`` and keep slopes in ``bits`` bits."""
    return keep_rounded(input, "softsign", (), F.softsign, bits=bits)
