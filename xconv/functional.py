"""Convolutions as functions, the way ``torch.nn.functional`` has them, with ``probes``."""

from collections.abc import Sequence

from torch import Tensor

from xconv import autocast
from xconv.differentiation import is_differentiated
from xconv.estimator import SketchedConvolution
from xconv.geometry import Geometry, resolve_padding
from xconv.probing import Probing
from xconv.random import draw_seed
from xconv.saved.relu import bit_relu

__all__ = ["bit_relu", "conv", "conv_transpose"]

Sizes = int | Sequence[int]

_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


def conv(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
    *,
    padding_mode: str = "zeros",
    probes: int = 8,
    scheme: str = "independent",
    distribution: str = "rademacher",
) -> Tensor:
    """``torch.nn.functional.conv1d``, ``conv2d`` or ``conv3d``, whichever ``weight`` is made for.

    Shapes, dtypes and errors are torch's. Forward, input gradient and bias gradient are exact; the
    weight gradient is estimated from ``probes`` probes by ``scheme`` (arXiv 2106.06998, section
    3), unless the sketch would not be smaller than the input or ``probes`` is 0.
    """
    size = _dimensions(weight)
    if padding_mode not in _PADDING_MODES:
        raise ValueError(
            f"unknown padding_mode {padding_mode!r}; choose from {', '.join(_PADDING_MODES)}"
        )
    stride, dilation = _tuple(stride, size), _tuple(dilation, size)
    if padding == "same" and any(step != 1 for step in stride):
        raise RuntimeError(f"padding='same' needs a stride of 1; got {stride}")
    word = padding if isinstance(padding, str) else _tuple(padding, size)
    amount, border, border_mode = resolve_padding(
        word, padding_mode, tuple(weight.shape[2:]), dilation
    )
    geometry = Geometry(stride, amount, dilation, groups, border=border, border_mode=border_mode)
    return convolution(input, weight, bias, geometry, Probing(probes, scheme, distribution))


def conv_transpose(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
    *,
    probes: int = 8,
    scheme: str = "independent",
    distribution: str = "rademacher",
) -> Tensor:
    """``torch.nn.functional.conv_transpose1d``, ``2d`` or ``3d``, as ``conv`` above."""
    size = _dimensions(weight)
    geometry = Geometry(
        _tuple(stride, size),
        _tuple(padding, size),
        _tuple(dilation, size),
        groups,
        transposed=True,
        output_padding=_tuple(output_padding, size),
    )
    return convolution(input, weight, bias, geometry, Probing(probes, scheme, distribution))


def convolution(
    input: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry, probing: Probing
) -> Tensor:
    """A convolution of any geometry, batched (batch, channels, *pixels) or not.

    What autograd keeps: the sketch, the seed and the weight where the weight needs a gradient;
    the weight alone where it needs none; what torch keeps where the sketch would be no smaller.
    """
    is_image = input.dim() in (geometry.dimensions + 1, geometry.dimensions + 2)
    is_exact = probing.probes == 0 or weight.is_complex() or not is_image
    if is_exact or not is_differentiated(input, weight, bias):
        return geometry.convolve(input, weight, bias)
    if input.dim() == geometry.dimensions + 1:
        return convolution(input.unsqueeze(0), weight, bias, geometry, probing).squeeze(0)
    input, weight = autocast.cast(input), autocast.cast(weight)
    bias = None if bias is None else autocast.cast(bias)
    if weight.requires_grad and not probing.saves_memory(input):
        return geometry.convolve(input, weight, bias)
    seed = draw_seed() if weight.requires_grad else None
    output: Tensor = SketchedConvolution.apply(input, weight, bias, seed, geometry, probing)
    return output


def _dimensions(weight: Tensor) -> int:
    """Of the images that ``weight`` (channels, channels, *kernel) convolves."""
    if not 3 <= weight.dim() <= 5:
        raise ValueError(
            "weight must have 3, 4 or 5 dimensions, for images of 1, 2 or 3; "
            f"got the shape {tuple(weight.shape)}"
        )
    return weight.dim() - 2


def _tuple(value: Sizes, size: int) -> tuple[int, ...]:
    """One number for every dimension; a single one stands for all, as in torch."""
    numbers = (value,) if isinstance(value, int) else tuple(value)
    return numbers * size if len(numbers) == 1 else numbers
