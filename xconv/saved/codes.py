"""Codes of 1 to 8 bits for elements, each standing for a factor of the element's gradient.

A table of slopes, the same for all elements, says which factor a code stands for.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from xconv.bits import pieces
from xconv.cached import cached
from xconv.layout import from_memory_order, in_memory_order
from xconv.native import slopes as native
from xconv.packing import pack_codes, unpack_codes
from xconv.random import chances
from xconv.saved.linear_maps import several, transposes

FLOATS = 8
"""Factor by which pieces of numbers are smaller than pieces of bits."""


def bytes_of(count: int, bits: int) -> int:
    """Return the bytes that ``count`` codes take, filled up to a multiple of eight codes."""
    return -(-count // 8) * bits


def place(piece: slice, bits: int) -> slice:
    """Return the slice of bytes that holds the codes of ``piece``."""
    return slice(piece.start // 8 * bits, bytes_of(piece.stop, bits))


def padded(codes: Tensor) -> Tensor:
    """Return ``codes`` (uint8, flat), filled up to a multiple of eight."""
    return torch.nn.functional.pad(codes, (0, -codes.numel() % 8))


def pack_all(codes: Tensor, bits: int) -> Tensor:
    """Return ``codes`` (uint8, flat, a multiple of eight) packed, some at a time."""
    packed = codes.new_empty(bytes_of(codes.numel(), bits))
    for piece in pieces(codes.numel(), codes.device, FLOATS):
        packed[place(piece, bits)] = pack_codes(codes[piece], bits)
    return packed


def unpack_all(packed: Tensor, bits: int) -> Tensor:
    """Return the codes that ``pack_all`` packed."""
    codes = packed.new_empty(packed.numel() // bits * 8)
    for piece in pieces(codes.numel(), codes.device, FLOATS):
        codes[piece] = unpack_codes(packed[place(piece, bits)], bits)
    return codes


def precision(dtype: torch.dtype) -> torch.dtype:
    """Return the dtype in which numbers of ``dtype`` are computed: float32 at least."""
    return dtype if dtype == torch.float64 else torch.float32


def wide(numbers: Tensor) -> Tensor:
    """Return ``numbers`` in the dtype in which they are computed."""
    return numbers.to(precision(numbers.dtype))


def rounded(positions: Tensor, seed: Tensor, stream: int) -> Tensor:
    """Return ``positions`` (flat, 0 to 255), rounded at random to whole numbers (uint8).

    The mean is ``positions``. Whole positions stay what they are.
    """
    lower = positions.nan_to_num().floor_()
    drawn = chances(seed, stream, positions.numel(), torch.float32, positions.device)
    return lower.add_(drawn < positions - lower).to(torch.uint8)


def scale_directly(
    grad_output: Tensor,
    packed: Tensor,
    slopes: Sequence[float],
    bits: int,
    channels_last: bool,
    zero_stays: bool,
) -> Tensor:
    """Return ``grad_output`` times the factor of each code, with codes in memory order.

    If ``zero_stays``, a factor of 0 gives 0 even for NaN.
    """
    numbers = table(tuple(slopes), precision(grad_output.dtype), grad_output.device)
    return scaled(grad_output, packed, numbers, bits, channels_last, zero_stays)


def scale_by_rounded_directly(
    grad_output: Tensor,
    packed: Tensor,
    flag: Tensor,
    anchor: Tensor,
    slopes: Sequence[float],
    bits: int,
    channels_last: bool,
    name: str,
) -> Tensor:
    """Return ``grad_output`` times factors that were rounded, plus ``flag``: 0, or NaN.

    Its derivative raises RuntimeError with the ``name`` of the activation, also if it is reached
    through ``anchor``, an empty tensor.
    """
    numbers = table(tuple(slopes), precision(grad_output.dtype), grad_output.device)
    return scaled(grad_output, packed, numbers + flag, bits, channels_last, False)


scale_gradient = torch.library.custom_op("xconv::scale_gradient", scale_directly, mutates_args=())
scale_by_rounded = torch.library.custom_op(
    "xconv::scale_by_rounded", scale_by_rounded_directly, mutates_args=()
)


def scaled(
    grad_output: Tensor,
    packed: Tensor,
    numbers: Tensor,
    bits: int,
    channels_last: bool,
    zero_stays: bool,
) -> Tensor:
    """Return ``grad_output`` times the ``numbers`` that the codes stand for."""
    ordered = in_memory_order(grad_output, channels_last)
    gradient = torch.empty_like(ordered)
    if native.scale(ordered, packed, numbers, gradient, bits, zero_stays):
        return from_memory_order(gradient, channels_last)
    source, target = ordered.view(-1), gradient.view(-1)
    for piece in pieces(source.numel(), source.device, FLOATS):
        codes = unpack_codes(packed[place(piece, bits)], bits)[: piece.stop - piece.start]
        factors = numbers.index_select(0, codes.to(torch.int32))
        products = wide(source[piece]) * factors
        target[piece] = products.masked_fill_(factors == 0, 0) if zero_stays else products
    return from_memory_order(gradient, channels_last)


@cached
def table(numbers: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return ``numbers`` as a cached tensor; making one, a CPU would wait for a GPU."""
    return torch.tensor(numbers, dtype=dtype, device=device)


def like(grad_output: Tensor, channels_last: bool) -> Tensor:
    """Return an empty tensor in the layout of what ``scaled`` returns."""
    ordered = torch.empty_like(in_memory_order(grad_output, channels_last))
    return from_memory_order(ordered, channels_last)


@scale_gradient.register_fake
def _(
    grad_output: Tensor, packed: Tensor, slopes: Any, bits: int, channels_last: bool,
    zero_stays: bool,
) -> Tensor:  # fmt: skip
    return like(grad_output, channels_last)


@scale_by_rounded.register_fake
def _(
    grad_output: Tensor,
    packed: Tensor,
    flag: Tensor,
    anchor: Tensor,
    slopes: Any,
    bits: int,
    channels_last: bool,
    name: str,
) -> Tensor:
    return like(grad_output, channels_last)


transposes(scale_gradient, scale_gradient)


def _name(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.name = inputs[-1]


def _refuse(ctx: Any, gradient: Tensor) -> None:
    raise RuntimeError(
        f"the gradient of {ctx.name} was found from rounded slopes and has no derivative; for "
        "gradients of gradients leave this layer exact (skip= of xconv.convert, or compress= "
        "without 'act')"
    )


scale_by_rounded.register_autograd(_refuse, setup_context=_name)
scale_by_rounded.register_vmap(several(scale_by_rounded))
