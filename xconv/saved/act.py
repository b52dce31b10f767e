"""Activation modules that keep the slope of each element in one bit, or rounded to a few.

torch keeps the input; of ``Sigmoid``, ``Tanh`` and some that overwrite their input, the output.
Where a neighbour keeps the same tensor for a gradient of its own that is exact, it stays, and
what is kept here comes on top: ``Tanh`` before a linear layer, say, or ``GELU`` behind an operation
that keeps its output. That is the only case in which swapping can lose, an eighth of a byte to a
byte an element. Between convolutions that are swapped, the tensor goes.

In evaluation mode what is rounded in training is torch's own.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from xconv.saved import act_functions as functions
from xconv.saved.module import Saving, instead_of
from xconv.saved.prelu import prelu
from xconv.saved.relu import ONE_BIT
from xconv.saved.slopes import BITS, check_bits
from xconv.state import State, set_state, state_of


class _Step(Saving):
    def _xconv_account(self) -> tuple[bool, str]:
        return True, ONE_BIT


class _Rounded(Saving):
    """Args that it takes beside torch's: ``bits``, 4 or 8, for each slope."""

    def __init__(self, *args: Any, bits: int = BITS[0], **kwargs: Any) -> None:
        check_bits(bits)
        super().__init__(*args, **kwargs)
        set_state(self, State(bits=bits))  # type: ignore[arg-type]

    def _xconv_account(self: Any) -> tuple[bool, str]:
        return True, f"{bits_of(self)} bits an element, unbiased"


def bits_of(module: nn.Module) -> int:
    """Return the bits of a slope that ``module``, one of ours, keeps."""
    state = state_of(module)
    return state.bits if state is not None and state.bits else BITS[0]


def _rounded(theirs: type[nn.Module], call: Callable[[Any, Tensor, int], Tensor]) -> Any:
    """The forward pass of ``theirs``, by ``call`` in training, for a module, its input and bits."""
    exact = theirs.forward

    def run(module: Any, input: Tensor) -> Tensor:
        output: Tensor = (
            call(module, input, bits_of(module)) if module.training else exact(module, input)
        )
        return output

    return instead_of(exact, run)


class XReLU6(_Step, nn.ReLU6):
    """``torch.nn.ReLU6``, bit for bit, that keeps one bit an element."""

    forward = instead_of(nn.ReLU6.forward, lambda m, x: functions.relu6(x, m.inplace))


class XHardtanh(_Step, nn.Hardtanh):
    """``torch.nn.Hardtanh``, bit for bit, that keeps one bit an element."""

    forward = instead_of(
        nn.Hardtanh.forward, lambda m, x: functions.hardtanh(x, m.min_val, m.max_val, m.inplace)
    )


class XLeakyReLU(_Step, nn.LeakyReLU):
    """``torch.nn.LeakyReLU``, bit for bit, that keeps one bit an element."""

    forward = instead_of(
        nn.LeakyReLU.forward, lambda m, x: functions.leaky_relu(x, m.negative_slope, m.inplace)
    )


class XHardsigmoid(_Step, nn.Hardsigmoid):
    """``torch.nn.Hardsigmoid``, bit for bit, that keeps one bit an element."""

    forward = instead_of(nn.Hardsigmoid.forward, lambda m, x: functions.hardsigmoid(x, m.inplace))


class XThreshold(_Step, nn.Threshold):
    """``torch.nn.Threshold``, bit for bit, that keeps one bit an element."""

    forward = instead_of(
        nn.Threshold.forward, lambda m, x: functions.threshold(x, m.threshold, m.value, m.inplace)
    )


class XHardshrink(_Step, nn.Hardshrink):
    """``torch.nn.Hardshrink``, bit for bit, that keeps one bit an element."""

    forward = instead_of(nn.Hardshrink.forward, lambda m, x: functions.hardshrink(x, m.lambd))


class XSoftshrink(_Step, nn.Softshrink):
    """``torch.nn.Softshrink``, bit for bit, that keeps one bit an element."""

    forward = instead_of(nn.Softshrink.forward, lambda m, x: functions.softshrink(x, m.lambd))


class XELU(_Rounded, nn.ELU):
    """``torch.nn.ELU`` that keeps rounded slopes. Slopes of positive inputs are exact."""

    forward = _rounded(nn.ELU, lambda m, x, b: functions.elu(x, m.alpha, m.inplace, bits=b))


class XCELU(_Rounded, nn.CELU):
    """``torch.nn.CELU`` that keeps rounded slopes.

    Slopes of positive inputs are exact; torch's own unless ``alpha`` is positive.
    """

    forward = _rounded(nn.CELU, lambda m, x, b: functions.celu(x, m.alpha, m.inplace, bits=b))


class XSELU(_Rounded, nn.SELU):
    """``torch.nn.SELU`` that keeps rounded slopes. Slopes of positive inputs are exact."""

    forward = _rounded(nn.SELU, lambda m, x, b: functions.selu(x, m.inplace, bits=b))


class XGELU(_Rounded, nn.GELU):
    """``torch.nn.GELU`` that keeps rounded slopes."""

    forward = _rounded(nn.GELU, lambda m, x, b: functions.gelu(x, m.approximate, bits=b))


class XSiLU(_Rounded, nn.SiLU):
    """``torch.nn.SiLU`` that keeps rounded slopes."""

    forward = _rounded(nn.SiLU, lambda m, x, b: functions.silu(x, m.inplace, bits=b))


class XMish(_Rounded, nn.Mish):
    """``torch.nn.Mish`` that keeps rounded slopes."""

    forward = _rounded(nn.Mish, lambda m, x, b: functions.mish(x, m.inplace, bits=b))


class XHardswish(_Rounded, nn.Hardswish):
    """``torch.nn.Hardswish`` that keeps rounded slopes."""

    forward = _rounded(nn.Hardswish, lambda m, x, b: functions.hardswish(x, m.inplace, bits=b))


class XSigmoid(_Rounded, nn.Sigmoid):
    """``torch.nn.Sigmoid`` that keeps rounded slopes. torch keeps the output."""

    forward = _rounded(nn.Sigmoid, lambda m, x, b: functions.sigmoid(x, bits=b))


class XTanh(_Rounded, nn.Tanh):
    """``torch.nn.Tanh`` that keeps rounded slopes. torch keeps the output."""

    forward = _rounded(nn.Tanh, lambda m, x, b: functions.tanh(x, bits=b))


class XSoftplus(_Rounded, nn.Softplus):
    """``torch.nn.Softplus`` that keeps rounded slopes."""

    forward = _rounded(
        nn.Softplus, lambda m, x, b: functions.softplus(x, m.beta, m.threshold, bits=b)
    )


class XLogSigmoid(_Rounded, nn.LogSigmoid):
    """``torch.nn.LogSigmoid`` that keeps rounded slopes."""

    forward = _rounded(nn.LogSigmoid, lambda m, x, b: functions.log_sigmoid(x, bits=b))


class XSoftsign(_Rounded, nn.Softsign):
    """``torch.nn.Softsign`` that keeps rounded slopes.

    torch keeps three tensors of the input's size.
    """

    forward = _rounded(nn.Softsign, lambda m, x, b: functions.softsign(x, bits=b))


class XPReLU(_Rounded, nn.PReLU):
    """``torch.nn.PReLU`` whose input gradient is exact and whose weight gradient is unbiased."""

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
