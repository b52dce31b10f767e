"""Max pooling that keeps the position of each maximum in its window, in 1 to 8 bits.

torch keeps the whole input and an index of eight bytes per output. The position in the window
contains the same information: the gradient of an output goes to the input element that gave it, as
in torch, ties and NaN included, since torch's own operators find the index and add up the
gradients.
"""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from xconv.geometry import Sizes, per_dimension
from xconv.layout import is_channels_last
from xconv.saved.codes import pack_all, unpack_all
from xconv.saved.linear_maps import transposes
from xconv.saved.windows import Windows, is_kept, lying_as_input, parts, sizes_of_output, steps

Function = Callable[..., Any]

_aten = torch.ops.aten
_FORWARD: dict[tuple[int, bool], Function] = {
    (2, False): _aten.max_pool2d_with_indices,
    (3, False): _aten.max_pool3d_with_indices,
    (2, True): _aten.adaptive_max_pool2d,
    (3, True): _aten.adaptive_max_pool3d,
}
_BACKWARD: dict[tuple[int, bool], Function] = {
    (2, False): _aten.max_pool2d_with_indices_backward,
    (3, False): _aten.max_pool3d_with_indices_backward,
    (2, True): _aten.adaptive_max_pool2d_backward,
    (3, True): _aten.adaptive_max_pool3d_backward,
}
"""torch's backward operators, by the dimensions of an image and whether windows are adaptive."""

_EXACT: dict[tuple[int, bool], Function] = {
    (1, False): F.max_pool1d,
    (2, False): F.max_pool2d,
    (3, False): F.max_pool3d,
    (1, True): F.adaptive_max_pool1d,
    (2, True): F.adaptive_max_pool2d,
    (3, True): F.adaptive_max_pool3d,
}


def max_pool(
    dimensions: int,
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Apply ``torch.nn.functional.max_pool1d``, ``2d`` or ``3d``, by ``dimensions``.

    It is torch's own if autograd does not record, under ``torch.func`` and forward-mode
    derivatives, if indices are returned, and if a window has more than 256 elements.
    """
    if not return_indices and is_kept(input, dimensions):
        size = per_dimension(kernel_size, dimensions)
        step = steps(stride, size)
        border, spread = (per_dimension(sizes, dimensions) for sizes in (padding, dilation))
        if dimensions == 1:
            size, step, border, spread = (1, *size), (1, *step), (0, *border), (1, *spread)
        windows = Windows(size, step, border, spread, ceil_mode)
        if windows.bits(()) is not None:
            return _keep_positions(input, dimensions, windows)
    return _EXACT[dimensions, False](
        input, kernel_size, stride, padding, dilation, ceil_mode, return_indices
    )


def adaptive_max_pool(
    dimensions: int, input: Tensor, output_size: Any, return_indices: bool = False
) -> Any:
    """Apply ``torch.nn.functional.adaptive_max_pool1d``, ``2d`` or ``3d``, by ``dimensions``.

    It is torch's own under the same circumstances as ``max_pool``.
    """
    if not return_indices and is_kept(input, dimensions):
        size = sizes_of_output(input, dimensions, output_size)
        if size and adaptive_fits(input, dimensions, output_size):
            windows = Windows((1, *size) if dimensions == 1 else size)
            return _keep_positions(input, dimensions, windows)
    return _EXACT[dimensions, True](input, output_size, return_indices)


def adaptive_fits(input: Tensor, dimensions: int, output_size: Any) -> bool:
    """Return whether one byte can number the elements of each window."""
    size = sizes_of_output(input, dimensions, output_size)
    return not size or Windows(size).bits(tuple(input.shape[-dimensions:])) is not None


def _keep_positions(input: Tensor, dimensions: int, windows: Windows) -> Tensor:
    """Pool images of one to three dimensions, in a batch or not."""
    if input.dim() == dimensions + 1:
        return _keep_positions(input.unsqueeze(0), dimensions, windows).squeeze(0).contiguous()
    if dimensions == 1:
        return _keep_positions(input.unsqueeze(-2), 2, windows).squeeze(-2)
    output: Tensor = _MaxPool.apply(input, windows)
    return output


class _MaxPool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor, windows: Windows) -> Tensor:
        pixels = tuple(input.shape[2:])
        bits = windows.bits(pixels)
        assert bits is not None, "max_pool and adaptive_max_pool take windows that fit"
        output, packed = pool_maxima(input, bits, windows.numbers())
        ctx.rest = pixels, is_channels_last(input), bits, windows.numbers()
        ctx.save_for_backward(packed)
        return output

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, None]:
        (packed,) = ctx.saved_tensors
        return scatter_to_maxima(grad_output, packed, *ctx.rest), None


@torch.library.custom_op("xconv::pool_maxima", mutates_args=())
def pool_maxima(
    input: Tensor,
    bits: int,
    numbers: Sequence[int],
) -> tuple[Tensor, Tensor]:
    """Return the maxima of ``input`` (images, channels, *pixels) and their packed positions.

    This is one operator, which a compiler leaves whole. Indices exist for some images at a time.
    """
    pixels = tuple(input.shape[2:])
    windows = Windows.of_numbers(numbers, len(pixels))
    shape = _output_shape(input, windows)
    pool = _FORWARD[len(pixels), windows.is_adaptive]
    codes = torch.zeros(_whole_words(shape), dtype=torch.uint8, device=input.device)
    positions = codes[: shape.numel()].view(shape)
    output = None
    for part in parts(shape, input.device):
        maxima, indices = pool(input[part], *_arguments(windows))
        positions[part] = windows.positions(indices, pixels)
        if maxima.shape == shape:
            output = maxima
            break
        if output is None:
            output = lying_as_input(input, shape[2:], is_channels_last(input))
        output[part] = maxima
    assert output is not None, "max_pool takes images that are not empty"
    return output, pack_all(codes, bits)


@pool_maxima.register_fake
def _(
    input: Tensor,
    bits: int,
    numbers: Sequence[int],
) -> tuple[Tensor, Tensor]:
    windows = Windows.of_numbers(numbers, input.dim() - 2)
    output = _FORWARD[input.dim() - 2, windows.is_adaptive](input, *_arguments(windows))[0]
    count = _whole_words(output.shape) // 8 * bits
    return output, input.new_empty(count, dtype=torch.uint8)


@torch.library.custom_op("xconv::scatter_to_maxima", mutates_args=())
def scatter_to_maxima(
    grad_output: Tensor,
    packed: Tensor,
    pixels: Sequence[int],
    channels_last: bool,
    bits: int,
    numbers: Sequence[int],
) -> Tensor:
    """Return the gradient of the input that ``pool_maxima`` pooled, as one operator."""
    windows = Windows.of_numbers(numbers, len(pixels))
    spread = _BACKWARD[len(pixels), windows.is_adaptive]
    gradient = lying_as_input(grad_output, pixels, channels_last)
    positions = _positions(packed, bits, grad_output.shape)
    for part in parts(grad_output.shape, grad_output.device):
        indices = windows.indices(positions[part], tuple(pixels))
        given = () if windows.is_adaptive else _arguments(windows)
        found: Tensor = spread(grad_output[part], gradient[part], *given, indices)
        if found.shape == gradient.shape:
            return found
        gradient[part] = found
    return gradient


@torch.library.custom_op("xconv::gather_maxima", mutates_args=())
def gather_maxima(
    gradient: Tensor,
    packed: Tensor,
    pixels: Sequence[int],
    channels_last: bool,
    bits: int,
    numbers: Sequence[int],
) -> Tensor:
    """Return the elements of ``gradient``, shaped as the input, that were maxima.

    This is the transpose of ``scatter_to_maxima``.
    """
    windows = Windows.of_numbers(numbers, len(pixels))
    shape = _output_shape(gradient, windows)
    positions = _positions(packed, bits, shape)
    maxima = gradient.new_empty(shape)
    for part in parts(shape, gradient.device):
        indices = windows.indices(positions[part], tuple(pixels)).flatten(2)
        maxima[part] = gradient[part].flatten(2).gather(2, indices).view(maxima[part].shape)
    return maxima


@scatter_to_maxima.register_fake
def _(
    grad_output: Tensor, packed: Tensor, pixels: Sequence[int], channels_last: bool, *_: object
) -> Tensor:
    return lying_as_input(grad_output, pixels, channels_last)


@gather_maxima.register_fake
def _(
    gradient: Tensor,
    packed: Tensor,
    pixels: Sequence[int],
    channels_last: bool,
    bits: int,
    numbers: Sequence[int],
) -> Tensor:
    windows = Windows.of_numbers(numbers, len(pixels))
    output = _FORWARD[gradient.dim() - 2, windows.is_adaptive](gradient, *_arguments(windows))[0]
    return gradient.new_empty(output.shape)


transposes(scatter_to_maxima, gather_maxima)
transposes(gather_maxima, scatter_to_maxima)


def _arguments(windows: Windows) -> tuple[Any, ...]:
    """Return the arguments of torch's forward operators for ``windows``."""
    if windows.is_adaptive:
        return (windows.size,)
    return windows.size, windows.stride, windows.padding, windows.dilation, windows.ceil_mode


def _output_shape(input: Tensor, windows: Windows) -> torch.Size:
    """Return the shape of torch's output for ``input``.

    Inputs that torch refuses raise torch's error here.
    """
    pool = _FORWARD[input.dim() - 2, windows.is_adaptive]
    shape: torch.Size = pool(torch.empty_like(input, device="meta"), *_arguments(windows))[0].shape
    return shape


def _whole_words(shape: torch.Size) -> int:
    """Return the numbers of an output, filled up to a multiple of eight."""
    # ``Size.numel`` would fix sizes that a compiler has as symbols.
    return -(-prod(shape) // 8) * 8


def _positions(packed: Tensor, bits: int, shape: torch.Size) -> Tensor:
    return unpack_all(packed, bits)[: shape.numel()].view(shape)
