"""Average pooling that keeps only the shape of its input.

torch keeps the input itself, of which its backward operators only read the shape. Here the same
operators compute the gradient for some images and channels at a time, and receive in place of the
input the part of the gradient that they are about to compute.
"""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from xconv.geometry import Sizes, per_dimension
from xconv.layout import is_channels_last
from xconv.saved.linear_maps import transposes
from xconv.saved.windows import is_kept, lying_as_input, parts, sizes_of_output, steps

Function = Callable[..., Any]

_aten = torch.ops.aten
_AVERAGE: dict[int, Function] = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
_ADAPTIVE: dict[int, Function] = {
    1: F.adaptive_avg_pool1d,
    2: F.adaptive_avg_pool2d,
    3: F.adaptive_avg_pool3d,
}
_BACKWARD: dict[tuple[int, bool], Function] = {
    (2, False): _aten.avg_pool2d_backward,
    (3, False): _aten.avg_pool3d_backward,
    (2, True): _aten._adaptive_avg_pool2d_backward,
    (3, True): _aten._adaptive_avg_pool3d_backward,
}
"""torch's backward operators, by the dimensions of an image and whether windows are adaptive."""


def average_pool(
    dimensions: int,
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """Apply ``torch.nn.functional.avg_pool1d``, ``2d`` or ``3d``, by ``dimensions``.

    It is torch's own if autograd does not record, and under ``torch.func`` and forward-mode
    derivatives. ``avg_pool1d`` has no ``divisor_override``.
    """
    if not is_kept(input, dimensions):
        last = () if dimensions == 1 else (divisor_override,)
        step = kernel_size if stride is None else stride
        output: Tensor = _AVERAGE[dimensions](
            input, kernel_size, step, padding, ceil_mode, count_include_pad, *last
        )
        return output
    size = per_dimension(kernel_size, dimensions)
    step = steps(stride, size)
    border = per_dimension(padding, dimensions)
    if dimensions == 1:
        size, step, border = (1, *size), (1, *step), (0, *border)
    sizes = (*size, *step, *border)
    return _keep_shape(input, dimensions, sizes, ceil_mode, count_include_pad, divisor_override)


def adaptive_average_pool(dimensions: int, input: Tensor, output_size: Any) -> Tensor:
    """Apply ``torch.nn.functional.adaptive_avg_pool1d``, ``2d`` or ``3d``, by ``dimensions``.

    It is torch's own under the same circumstances as ``average_pool``, and if the output is one
    pixel: torch computes a mean then and keeps its shape.
    """
    if is_kept(input, dimensions):
        size = sizes_of_output(input, dimensions, output_size)
        if size and prod(size) > 1:
            return _keep_shape(input, dimensions, (1, *size) if dimensions == 1 else size)
    output: Tensor = _ADAPTIVE[dimensions](input, output_size)
    return output


def _keep_shape(input: Tensor, dimensions: int, sizes: tuple[int, ...], *how: Any) -> Tensor:
    """Pool images of one to three dimensions, in a batch or not; adaptively without ``how``."""
    if input.dim() == dimensions + 1:
        return _keep_shape(input.unsqueeze(0), dimensions, sizes, *how).squeeze(0).contiguous()
    if dimensions == 1:
        return _keep_shape(input.unsqueeze(-2), 2, sizes, *how).squeeze(-2)
    output: Tensor = _AveragePool.apply(input, sizes, *(how or (False, False, None)))
    return output


class _AveragePool(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, input: Tensor, sizes: tuple[int, ...], ceil: bool, count: bool, by: int | None
    ) -> Tensor:
        ctx.rest = tuple(input.shape[2:]), is_channels_last(input), sizes, ceil, count, by
        return _pool(input, *ctx.rest)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        return spread_averages(grad_output, *ctx.rest), None, None, None, None


def _pool(
    input: Tensor,
    pixels: Sequence[int],
    channels_last: bool,
    sizes: Sequence[int],
    ceil_mode: bool,
    count_include_pad: bool,
    divisor: int | None,
) -> Tensor:
    """Return torch's pooling of ``input`` (images, channels, *pixels).

    See ``_fields`` for ``sizes``.
    """
    size, *more = _fields(sizes, len(pixels))
    if not more:
        output: Tensor = _ADAPTIVE[len(pixels)](input, size)
    else:
        output = _AVERAGE[len(pixels)](input, size, *more, ceil_mode, count_include_pad, divisor)
    return output


@torch.library.custom_op("xconv::spread_averages", mutates_args=())
def spread_averages(
    grad_output: Tensor,
    pixels: Sequence[int],
    channels_last: bool,
    sizes: Sequence[int],
    ceil_mode: bool,
    count_include_pad: bool,
    divisor: int | None,
) -> Tensor:
    """Return the gradient of an input (images, channels, *pixels) that was pooled.

    See ``_fields`` for ``sizes``.
    """
    size, *more = _fields(sizes, len(pixels))
    given = (size, *more, ceil_mode, count_include_pad, divisor) if more else ()
    spread = _BACKWARD[len(pixels), not more]
    gradient = lying_as_input(grad_output, pixels, channels_last)
    for part in parts(grad_output.shape, grad_output.device):
        found: Tensor = spread(grad_output[part], gradient[part], *given)
        if found.shape == gradient.shape:
            return found
        gradient[part] = found
    return gradient


@spread_averages.register_fake
def _(grad_output: Tensor, pixels: Sequence[int], channels_last: bool, *_: object) -> Tensor:
    return lying_as_input(grad_output, pixels, channels_last)


transposes(spread_averages, _pool)


def _fields(sizes: Sequence[int], dimensions: int) -> list[tuple[int, ...]]:
    """Return window size, stride and padding; or the output size of adaptive windows."""
    return [tuple(sizes[i : i + dimensions]) for i in range(0, len(sizes), dimensions)]
