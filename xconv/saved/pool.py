"""Pooling modules that keep neither their input nor indices of eight bytes.

Each has the arguments, outputs and gradients of torch's class. ``max_pool`` says what max pooling
keeps, and ``average_pool`` what average pooling keeps. Swapping cannot lose memory: torch keeps the
input of both, and never an output that a later layer would keep as well.
"""

from typing import Any

from torch import Tensor, nn

from xconv.differentiation import is_differentiated
from xconv.geometry import per_dimension
from xconv.saved.average_pool import adaptive_average_pool, average_pool
from xconv.saved.max_pool import adaptive_fits, adaptive_max_pool, max_pool
from xconv.saved.module import Saving, instead_of
from xconv.saved.windows import MOST_POSITIONS, Windows
from xconv.state import state_of

INDICES = "it returns the indices of its maxima, which are kept exactly"
TOO_LARGE = f"windows of more than {MOST_POSITIONS} elements, which one byte cannot number"
"""Reason why a max pooling is left alone."""


class _MaxPooling(Saving):
    _xconv_dimensions: int

    def _xconv_account(self: Any) -> tuple[bool, str]:
        reason, bits = self._xconv_refuses(self), self._xconv_bits(self)
        return (False, reason) if reason else (True, f"{bits} bit{'s' * (bits != 1)} an output")

    @classmethod
    def _xconv_bits(cls, module: Any) -> int | None:
        """Return the bits of a position in a window of ``module``, one of torch's or ours."""
        size = per_dimension(module.kernel_size, cls._xconv_dimensions)
        return Windows(size, size).bits(())

    @classmethod
    def _xconv_refuses(cls, module: Any) -> str:
        if module.return_indices:
            return INDICES
        return TOO_LARGE if cls._xconv_bits(module) is None else ""


class _AdaptiveMaxPooling(Saving):
    _xconv_dimensions: int

    def _xconv_account(self: Any) -> tuple[bool, str]:
        state = state_of(self)
        reason = self._xconv_refuses(self) or (state.falls_back if state else "")
        return (False, reason) if reason else (True, "at most one byte an output")

    @classmethod
    def _xconv_refuses(cls, module: Any) -> str:
        return INDICES if module.return_indices else ""


class _AveragePooling(Saving):
    _xconv_dimensions: int

    def _xconv_account(self) -> tuple[bool, str]:
        return True, "the shape of its input"


def _max(module: Any, input: Tensor) -> Any:
    return max_pool(
        module._xconv_dimensions, input, module.kernel_size, module.stride, module.padding,
        module.dilation, module.ceil_mode, module.return_indices,
    )  # fmt: skip


def _adaptive_max(module: Any, input: Tensor) -> Any:
    dimensions, size = module._xconv_dimensions, module.output_size
    state = state_of(module)
    if state is not None and is_differentiated(input):
        state.falls_back = "" if adaptive_fits(input, dimensions, size) else TOO_LARGE
    return adaptive_max_pool(dimensions, input, size, module.return_indices)


def _average(module: Any, input: Tensor) -> Tensor:
    return average_pool(
        module._xconv_dimensions, input, module.kernel_size, module.stride, module.padding,
        module.ceil_mode, module.count_include_pad, getattr(module, "divisor_override", None),
    )  # fmt: skip


def _adaptive_average(module: Any, input: Tensor) -> Tensor:
    return adaptive_average_pool(module._xconv_dimensions, input, module.output_size)


class XMaxPool1d(_MaxPooling, nn.MaxPool1d):
    """``torch.nn.MaxPool1d`` that keeps the position of each maximum in its window.

    Takes the arguments of torch's class. Input (batch, channels, length) or without the batch, any
    floating dtype; outputs and gradients are torch's, bit for bit.

    >>> x = torch.randn(2, 8, 16)
    >>> torch.equal(XMaxPool1d(2)(x), nn.MaxPool1d(2)(x))
    True
    """

    _xconv_dimensions = 1
    forward = instead_of(nn.MaxPool1d.forward, _max)


class XMaxPool2d(_MaxPooling, nn.MaxPool2d):
    """``torch.nn.MaxPool2d`` that keeps the position of each maximum in its window.

    Takes the arguments of torch's class. Input (batch, channels, height, width) or without the
    batch, any floating dtype; outputs and gradients are torch's, bit for bit.

    >>> x = torch.randn(2, 8, 16, 16)
    >>> torch.equal(XMaxPool2d(2)(x), nn.MaxPool2d(2)(x))
    True
    """

    _xconv_dimensions = 2
    forward = instead_of(nn.MaxPool2d.forward, _max)


class XMaxPool3d(_MaxPooling, nn.MaxPool3d):
    """``torch.nn.MaxPool3d`` that keeps the position of each maximum in its window.

    Takes the arguments of torch's class. Input (batch, channels, depth, height, width) or without
    the batch, any floating dtype; outputs and gradients are torch's, bit for bit.

    >>> x = torch.randn(2, 8, 8, 8, 8)
    >>> torch.equal(XMaxPool3d(2)(x), nn.MaxPool3d(2)(x))
    True
    """

    _xconv_dimensions = 3
    forward = instead_of(nn.MaxPool3d.forward, _max)


class XAdaptiveMaxPool1d(_AdaptiveMaxPooling, nn.AdaptiveMaxPool1d):
    """``torch.nn.AdaptiveMaxPool1d`` that keeps the position of each maximum in its window.

    Takes the arguments of torch's class. Input (batch, channels, length) or without the batch, any
    floating dtype; outputs and gradients are torch's, bit for bit.

    >>> x = torch.randn(2, 8, 16)
    >>> torch.equal(XAdaptiveMaxPool1d(4)(x), nn.AdaptiveMaxPool1d(4)(x))
    True
    """

    _xconv_dimensions = 1
    forward = instead_of(nn.AdaptiveMaxPool1d.forward, _adaptive_max)


class XAdaptiveMaxPool2d(_AdaptiveMaxPooling, nn.AdaptiveMaxPool2d):
    """``torch.nn.AdaptiveMaxPool2d`` that keeps the position of each maximum in its window.

    Takes the arguments of torch's class. Input (batch, channels, height, width) or without the
    batch, any floating dtype; outputs and gradients are torch's, bit for bit.

    >>> x = torch.randn(2, 8, 16, 16)
    >>> torch.equal(XAdaptiveMaxPool2d(4)(x), nn.AdaptiveMaxPool2d(4)(x))
    True
    """

    _xconv_dimensions = 2
    forward = instead_of(nn.AdaptiveMaxPool2d.forward, _adaptive_max)


class XAdaptiveMaxPool3d(_AdaptiveMaxPooling, nn.AdaptiveMaxPool3d):
    """``torch.nn.AdaptiveMaxPool3d`` that keeps the position of each maximum in its window.

    Takes the arguments of torch's class. Input (batch, channels, depth, height, width) or without
    the batch, any floating dtype; outputs and gradients are torch's, bit for bit.

    >>> x = torch.randn(2, 8, 8, 8, 8)
    >>> torch.equal(XAdaptiveMaxPool3d(4)(x), nn.AdaptiveMaxPool3d(4)(x))
    True
    """

    _xconv_dimensions = 3
    forward = instead_of(nn.AdaptiveMaxPool3d.forward, _adaptive_max)


class XAvgPool1d(_AveragePooling, nn.AvgPool1d):
    """``torch.nn.AvgPool1d`` that keeps only the shape of its input.

    Takes the arguments of torch's class. Input (batch, channels, length) or without the batch, any
    floating dtype; outputs and gradients are torch's, bit for bit.

    >>> x = torch.randn(2, 8, 16)
    >>> torch.equal(XAvgPool1d(2)(x), nn.AvgPool1d(2)(x))
    True
    """

    _xconv_dimensions = 1
    forward = instead_of(nn.AvgPool1d.forward, _average)


class XAvgPool2d(_AveragePooling, nn.AvgPool2d):
    """``torch.nn.AvgPool2d`` that keeps only the shape of its input.

    Takes the arguments of torch's class. Input (batch, channels, height, width) or without the
    batch, any floating dtype; outputs and gradients are torch's, bit for bit.

    >>> x = torch.randn(2, 8, 16, 16)
    >>> torch.equal(XAvgPool2d(2)(x), nn.AvgPool2d(2)(x))
    True
    """

    _xconv_dimensions = 2
    forward = instead_of(nn.AvgPool2d.forward, _average)


class XAvgPool3d(_AveragePooling, nn.AvgPool3d):
    """``torch.nn.AvgPool3d`` that keeps only the shape of its input.

    Takes the arguments of torch's class. Input (batch, channels, depth, height, width) or without
    the batch, any floating dtype; outputs and gradients are torch's, bit for bit.

    >>> x = torch.randn(2, 8, 8, 8, 8)
    >>> torch.equal(XAvgPool3d(2)(x), nn.AvgPool3d(2)(x))
    True
    """

    _xconv_dimensions = 3
    forward = instead_of(nn.AvgPool3d.forward, _average)


class XAdaptiveAvgPool1d(_AveragePooling, nn.AdaptiveAvgPool1d):
    """``torch.nn.AdaptiveAvgPool1d`` that keeps only the shape of its input.

    Takes the arguments of torch's class. Input (batch, channels, length) or without the batch, any
    floating dtype; outputs and gradients are torch's, bit for bit.

    >>> x = torch.randn(2, 8, 16)
    >>> torch.equal(XAdaptiveAvgPool1d(4)(x), nn.AdaptiveAvgPool1d(4)(x))
    True
    """

    _xconv_dimensions = 1
    forward = instead_of(nn.AdaptiveAvgPool1d.forward, _adaptive_average)


class XAdaptiveAvgPool2d(_AveragePooling, nn.AdaptiveAvgPool2d):
    """``torch.nn.AdaptiveAvgPool2d`` that keeps only the shape of its input.

    Takes the arguments of torch's class. Input (batch, channels, height, width) or without the
    batch, any floating dtype; outputs and gradients are torch's, bit for bit.

    >>> x = torch.randn(2, 8, 16, 16)
    >>> torch.equal(XAdaptiveAvgPool2d(4)(x), nn.AdaptiveAvgPool2d(4)(x))
    True
    """

    _xconv_dimensions = 2
    forward = instead_of(nn.AdaptiveAvgPool2d.forward, _adaptive_average)


class XAdaptiveAvgPool3d(_AveragePooling, nn.AdaptiveAvgPool3d):
    """``torch.nn.AdaptiveAvgPool3d`` that keeps only the shape of its input.

    Takes the arguments of torch's class. Input (batch, channels, depth, height, width) or without
    the batch, any floating dtype; outputs and gradients are torch's, bit for bit.

    >>> x = torch.randn(2, 8, 8, 8, 8)
    >>> torch.equal(XAdaptiveAvgPool3d(4)(x), nn.AdaptiveAvgPool3d(4)(x))
    True
    """

    _xconv_dimensions = 3
    forward = instead_of(nn.AdaptiveAvgPool3d.forward, _adaptive_average)


POOLS: dict[type[nn.Module], type[nn.Module]] = {
    nn.MaxPool1d: XMaxPool1d,
    nn.MaxPool2d: XMaxPool2d,
    nn.MaxPool3d: XMaxPool3d,
    nn.AdaptiveMaxPool1d: XAdaptiveMaxPool1d,
    nn.AdaptiveMaxPool2d: XAdaptiveMaxPool2d,
    nn.AdaptiveMaxPool3d: XAdaptiveMaxPool3d,
    nn.AvgPool1d: XAvgPool1d,
    nn.AvgPool2d: XAvgPool2d,
    nn.AvgPool3d: XAvgPool3d,
    nn.AdaptiveAvgPool1d: XAdaptiveAvgPool1d,
    nn.AdaptiveAvgPool2d: XAdaptiveAvgPool2d,
    nn.AdaptiveAvgPool3d: XAdaptiveAvgPool3d,
}
