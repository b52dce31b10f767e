"""Activation modules that keep each element's slope, in one bit or rounded to a few.

The input gradient of an activation is the output gradient times the slope, so a slope d̂ with mean
d gives an unbiased gradient. ``xconv.saved.curves`` says how slopes are rounded.

torch keeps the input, or for ``Sigmoid``, ``Tanh`` and some in-place activations the output. If a
neighbour keeps the same tensor for an exact gradient of its own, that tensor stays, and what is
kept here comes on top; examples are ``Tanh`` before a linear layer and ``GELU`` after an operation
that keeps its output. Only then can swapping lose memory, between an eighth of a byte and a byte
per element. Between convolutions that are swapped as well, the tensor is freed.

In evaluation mode, activations whose slopes are rounded in training are torch's own.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from xconv.amounts import bits_an_element
from xconv.saved import act_functions as functions
from xconv.saved.module import Saving, instead_of
from xconv.saved.prelu import prelu
from xconv.saved.relu import ONE_BIT
from xconv.saved.slopes import BITS, check_bits
from xconv.state import State, set_state, state_of


class _StepActivation(Saving):
    def _xconv_account(self) -> tuple[bool, str]:
        return True, ONE_BIT


class _RoundedActivation(Saving):
    """Base of activations that keep rounded slopes.

    It takes the arguments of torch's class, and ``bits`` by name: 4 or 8 for each slope.
    """

    def __init__(self, *args: Any, bits: int = BITS[0], **kwargs: Any) -> None:
        check_bits(bits)
        super().__init__(*args, **kwargs)
        set_state(self, State(bits=bits))  # type: ignore[arg-type]

    def _xconv_account(self: Any) -> tuple[bool, str]:
        return True, f"{bits_an_element(bits_of(self))}, unbiased"


def bits_of(module: nn.Module) -> int:
    """Return the bits per slope that ``module``, one of ours, keeps."""
    state = state_of(module)
    return state.bits if state is not None and state.bits else BITS[0]


def _rounded(theirs: type[nn.Module], call: Callable[[Any, Tensor, int], Tensor]) -> Any:
    """Return a forward pass that is ``call`` in training, and that of ``theirs`` otherwise."""
    exact = theirs.forward

    def run(module: Any, input: Tensor) -> Tensor:
        output: Tensor = (
            call(module, input, bits_of(module)) if module.training else exact(module, input)
        )
        return output

    return instead_of(exact, run)


class XReLU6(_StepActivation, nn.ReLU6):
    """``torch.nn.ReLU6`` that keeps one bit per element: which of two slopes it has.

    Outputs and gradients are torch's, bit for bit. Any shape and floating dtype.

    >>> x = torch.randn(4, 3)
    >>> torch.equal(XReLU6()(x), nn.ReLU6()(x))
    True
    """

    forward = instead_of(nn.ReLU6.forward, lambda m, x: functions.relu6(x, m.inplace))


class XHardtanh(_StepActivation, nn.Hardtanh):
    """``torch.nn.Hardtanh`` that keeps one bit per element: which of two slopes it has.

    Outputs and gradients are torch's, bit for bit. Any shape and floating dtype.

    >>> x = torch.randn(4, 3)
    >>> torch.equal(XHardtanh(-2.0, 2.0)(x), nn.Hardtanh(-2.0, 2.0)(x))
    True
    """

    forward = instead_of(
        nn.Hardtanh.forward, lambda m, x: functions.hardtanh(x, m.min_val, m.max_val, m.inplace)
    )


class XLeakyReLU(_StepActivation, nn.LeakyReLU):
    """``torch.nn.LeakyReLU`` that keeps one bit per element: which of two slopes it has.

    Outputs and gradients are torch's, bit for bit. Any shape and floating dtype.

    >>> x = torch.randn(4, 3)
    >>> torch.equal(XLeakyReLU(0.1)(x), nn.LeakyReLU(0.1)(x))
    True
    """

    forward = instead_of(
        nn.LeakyReLU.forward, lambda m, x: functions.leaky_relu(x, m.negative_slope, m.inplace)
    )


class XHardsigmoid(_StepActivation, nn.Hardsigmoid):
    """``torch.nn.Hardsigmoid`` that keeps one bit per element: which of two slopes it has.

    Outputs and gradients are torch's, bit for bit. Any shape and floating dtype.

    >>> x = torch.randn(4, 3)
    >>> torch.equal(XHardsigmoid()(x), nn.Hardsigmoid()(x))
    True
    """

    forward = instead_of(nn.Hardsigmoid.forward, lambda m, x: functions.hardsigmoid(x, m.inplace))


class XThreshold(_StepActivation, nn.Threshold):
    """``torch.nn.Threshold`` that keeps one bit per element: which of two slopes it has.

    Outputs and gradients are torch's, bit for bit. Any shape and floating dtype.

    >>> x = torch.randn(4, 3)
    >>> torch.equal(XThreshold(0.1, 20.0)(x), nn.Threshold(0.1, 20.0)(x))
    True
    """

    forward = instead_of(
        nn.Threshold.forward, lambda m, x: functions.threshold(x, m.threshold, m.value, m.inplace)
    )


class XHardshrink(_StepActivation, nn.Hardshrink):
    """``torch.nn.Hardshrink`` that keeps one bit per element: which of two slopes it has.

    Outputs and gradients are torch's, bit for bit. Any shape and floating dtype.

    >>> x = torch.randn(4, 3)
    >>> torch.equal(XHardshrink(0.5)(x), nn.Hardshrink(0.5)(x))
    True
    """

    forward = instead_of(nn.Hardshrink.forward, lambda m, x: functions.hardshrink(x, m.lambd))


class XSoftshrink(_StepActivation, nn.Softshrink):
    """``torch.nn.Softshrink`` that keeps one bit per element: which of two slopes it has.

    Outputs and gradients are torch's, bit for bit. Any shape and floating dtype.

    >>> x = torch.randn(4, 3)
    >>> torch.equal(XSoftshrink(0.5)(x), nn.Softshrink(0.5)(x))
    True
    """

    forward = instead_of(nn.Softshrink.forward, lambda m, x: functions.softshrink(x, m.lambd))


class XELU(_RoundedActivation, nn.ELU):
    """``torch.nn.ELU`` that keeps the slope of each element in ``bits`` = 4 or 8 bits.

    The output is torch's; the gradient is unbiased. Slopes of positive inputs are exact. Any shape
    and floating dtype. Raises ValueError for other bits.

    >>> x = torch.randn(4, 3)
    >>> torch.equal(XELU(bits=8)(x), nn.ELU()(x))
    True
    """

    forward = _rounded(nn.ELU, lambda m, x, b: functions.elu(x, m.alpha, m.inplace, bits=b))


class XCELU(_RoundedActivation, nn.CELU):
    """``torch.nn.CELU`` that keeps the slope of each element in ``bits`` = 4 or 8 bits.

    The output is torch's; the gradient is unbiased. Slopes of positive inputs are exact. The module
    is torch's own unless ``alpha`` is positive. Any shape and floating dtype. Raises ValueError for
    other bits.

    >>> x = torch.randn(4, 3)
    >>> torch.equal(XCELU(0.5, bits=8)(x), nn.CELU(0.5)(x))
    True
    """

    forward = _rounded(nn.CELU, lambda m, x, b: functions.celu(x, m.alpha, m.inplace, bits=b))


class XSELU(_RoundedActivation, nn.SELU):
    """``torch.nn.SELU`` that keeps the slope of each element in ``bits`` = 4 or 8 bits.

    The output is torch's; the gradient is unbiased. Slopes of positive inputs are exact. Any shape
    and floating dtype. Raises ValueError for other bits.

    >>> x = torch.randn(4, 3)
    >>> torch.equal(XSELU(bits=8)(x), nn.SELU()(x))
    True
    """

    forward = _rounded(nn.SELU, lambda m, x, b: functions.selu(x, m.inplace, bits=b))


class XGELU(_RoundedActivation, nn.GELU):
    """``torch.nn.GELU`` that keeps the slope of each element in ``bits`` = 4 or 8 bits.

    The output is torch's; the gradient is unbiased. Any shape and floating dtype. Raises ValueError
    for other bits.

    >>> x = torch.randn(4, 3)
    >>> torch.equal(XGELU(bits=8)(x), nn.GELU()(x))
    True
    """

    forward = _rounded(nn.GELU, lambda m, x, b: functions.gelu(x, m.approximate, bits=b))


class XSiLU(_RoundedActivation, nn.SiLU):
    """``torch.nn.SiLU`` that keeps the slope of each element in ``bits`` = 4 or 8 bits.

    The output is torch's; the gradient is unbiased. Any shape and floating dtype. Raises ValueError
    for other bits.

    >>> x = torch.randn(4, 3)
    >>> torch.equal(XSiLU(bits=8)(x), nn.SiLU()(x))
    True
    """

    forward = _rounded(nn.SiLU, lambda m, x, b: functions.silu(x, m.inplace, bits=b))


class XMish(_RoundedActivation, nn.Mish):
    """``torch.nn.Mish`` that keeps the slope of each element in ``bits`` = 4 or 8 bits.

    The output is torch's; the gradient is unbiased. Any shape and floating dtype. Raises ValueError
    for other bits.

    >>> x = torch.randn(4, 3)
    >>> torch.equal(XMish(bits=8)(x), nn.Mish()(x))
    True
    """

    forward = _rounded(nn.Mish, lambda m, x, b: functions.mish(x, m.inplace, bits=b))


class XHardswish(_RoundedActivation, nn.Hardswish):
    """``torch.nn.Hardswish`` that keeps the slope of each element in ``bits`` = 4 or 8 bits.

    The output is torch's; the gradient is unbiased. Any shape and floating dtype. Raises ValueError
    for other bits.

    >>> x = torch.randn(4, 3)
    >>> torch.equal(XHardswish(bits=8)(x), nn.Hardswish()(x))
    True
    """

    forward = _rounded(nn.Hardswish, lambda m, x, b: functions.hardswish(x, m.inplace, bits=b))


class XSigmoid(_RoundedActivation, nn.Sigmoid):
    """``torch.nn.Sigmoid`` that keeps the slope of each element in ``bits`` = 4 or 8 bits.

    The output is torch's; the gradient is unbiased. torch keeps the output. Any shape and floating
    dtype. Raises ValueError for other bits.

    >>> x = torch.randn(4, 3)
    >>> torch.equal(XSigmoid(bits=8)(x), nn.Sigmoid()(x))
    True
    """

    forward = _rounded(nn.Sigmoid, lambda m, x, b: functions.sigmoid(x, bits=b))


class XTanh(_RoundedActivation, nn.Tanh):
    """``torch.nn.Tanh`` that keeps the slope of each element in ``bits`` = 4 or 8 bits.

    The output is torch's; the gradient is unbiased. torch keeps the output. Any shape and floating
    dtype. Raises ValueError for other bits.

    >>> x = torch.randn(4, 3)
    >>> torch.equal(XTanh(bits=8)(x), nn.Tanh()(x))
    True
    """

    forward = _rounded(nn.Tanh, lambda m, x, b: functions.tanh(x, bits=b))


class XSoftplus(_RoundedActivation, nn.Softplus):
    """``torch.nn.Softplus`` that keeps the slope of each element in ``bits`` = 4 or 8 bits.

    The output is torch's; the gradient is unbiased. Any shape and floating dtype. Raises ValueError
    for other bits.

    >>> x = torch.randn(4, 3)
    >>> torch.equal(XSoftplus(bits=8)(x), nn.Softplus()(x))
    True
    """

    forward = _rounded(
        nn.Softplus, lambda m, x, b: functions.softplus(x, m.beta, m.threshold, bits=b)
    )


class XLogSigmoid(_RoundedActivation, nn.LogSigmoid):
    """``torch.nn.LogSigmoid`` that keeps the slope of each element in ``bits`` = 4 or 8 bits.

    The output is torch's; the gradient is unbiased. Any shape and floating dtype. Raises ValueError
    for other bits.

    >>> x = torch.randn(4, 3)
    >>> torch.equal(XLogSigmoid(bits=8)(x), nn.LogSigmoid()(x))
    True
    """

    forward = _rounded(nn.LogSigmoid, lambda m, x, b: functions.log_sigmoid(x, bits=b))


class XSoftsign(_RoundedActivation, nn.Softsign):
    """``torch.nn.Softsign`` that keeps the slope of each element in ``bits`` = 4 or 8 bits.

    The output is torch's; the gradient is unbiased. torch keeps three tensors of the input's size.
    Any shape and floating dtype. Raises ValueError for other bits.

    >>> x = torch.randn(4, 3)
    >>> torch.equal(XSoftsign(bits=8)(x), nn.Softsign()(x))
    True
    """

    forward = _rounded(nn.Softsign, lambda m, x, b: functions.softsign(x, bits=b))


class XPReLU(_RoundedActivation, nn.PReLU):
    """``torch.nn.PReLU`` that keeps the slope of each element in ``bits`` = 4 or 8 bits.

    The output is torch's; the gradient is unbiased. The input gradient is exact, and only the
    weight gradient is estimated. Any shape and floating dtype. Raises ValueError for other bits.

    >>> x = torch.randn(4, 3)
    >>> torch.equal(XPReLU(bits=8)(x), nn.PReLU()(x))
    True
    """

    forward = _rounded(nn.PReLU, lambda m, x, b: prelu(x, m.weight, b))


ACTIVATIONS: dict[type[nn.Module], type[nn.Module]] = {
    nn.ReLU6: XReLU6,
    nn.Hardtanh: XHardtanh,
    nn.LeakyReLU: XLeakyReLU,
    nn.Hardsigmoid: XHardsigmoid,
    nn.Threshold: XThreshold,
    nn.Hardshrink: XHardshrink,
    nn.Softshrink: XSoftshrink,
    nn.ELU: XELU,
    nn.CELU: XCELU,
    nn.SELU: XSELU,
    nn.GELU: XGELU,
    nn.SiLU: XSiLU,
    nn.Mish: XMish,
    nn.Hardswish: XHardswish,
    nn.Sigmoid: XSigmoid,
    nn.Tanh: XTanh,
    nn.Softplus: XSoftplus,
    nn.LogSigmoid: XLogSigmoid,
    nn.Softsign: XSoftsign,
    nn.PReLU: XPReLU,
}
