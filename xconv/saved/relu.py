"""ReLU that keeps one bit per element: whether the gradient passes.

``torch.nn.ReLU`` keeps its whole output. The gradient passes unless the output is ``<= 0``; it
passes for NaN, exactly as in torch.
"""

from typing import Any

import torch
from torch import Tensor, nn

from xconv.bits import pack, packed_size, pieces, unpack
from xconv.differentiation import is_differentiated
from xconv.kernels import choice
from xconv.layout import from_memory_order, in_memory_order, is_channels_last
from xconv.native import masks
from xconv.native.library import library_for_floats
from xconv.saved.inplace import may_not_be_overwritten
from xconv.saved.linear_maps import transposes
from xconv.saved.module import Saving, instead_of
from xconv.watching import has_memory, unless_watched

ONE_BIT = "one bit an element"

_WHOLE_NUMBERS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
"""Integer dtypes by bytes.

Read as an integer, a gradient times 0 is 0 and times 1 is itself, NaN included.
"""


def bit_relu(input: Tensor, inplace: bool = False) -> Tensor:
    """Apply ``torch.relu`` and keep one bit per element for the backward pass.

    Args:
        input: tensor of any shape, floating dtype and device.
        inplace: overwrite ``input`` with the output.

    Returns:
        ``torch.relu(input)``, whose gradient is torch's, bit for bit.

    Under ``torch.func`` and forward-mode derivatives it is torch's own.

    >>> bit_relu(torch.tensor([-1.0, 0.0, 2.0]))
    tensor([0., 0., 2.])
    """
    if not is_differentiated(input) or (inplace and may_not_be_overwritten(input)):
        return torch.relu_(input) if inplace else torch.relu(input)
    output: Tensor = _BitReLU.apply(input, inplace)
    return output


class BitReLU(Saving, nn.ReLU):
    """``torch.nn.ReLU`` that keeps ⌈n/8⌉ bytes of n elements for its backward pass.

    Outputs and gradients are torch's, bit for bit.

    Args:
        inplace: overwrite the input, as in ``torch.nn.ReLU``.

    Input of any shape, floating dtype and device; the output has the same.

    >>> x = torch.randn(2, 3, requires_grad=True)
    >>> torch.equal(BitReLU()(x), torch.relu(x))
    True
    """

    forward = instead_of(nn.ReLU.forward, lambda module, input: bit_relu(input, module.inplace))

    def _xconv_account(self) -> tuple[bool, str]:
        return True, ONE_BIT


class _BitReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor, inplace: bool) -> Tensor:
        output, packed = _relu_in_one_pass(input, inplace) or _relu_and_bits(input, inplace)
        if inplace:
            ctx.mark_dirty(output)
        ctx.channels_last = is_channels_last(output)
        ctx.save_for_backward(packed)
        return output

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, None]:
        (packed,) = ctx.saved_tensors
        mask = unless_watched(_mask_gradient, mask_gradient, grad_output)
        return mask(grad_output, packed, ctx.channels_last), None


def _relu_in_one_pass(input: Tensor, inplace: bool) -> tuple[Tensor, Tensor] | None:
    """Return output and bits, or None where no kernel for a CPU may be used."""
    channels_last = is_channels_last(input)
    line = input.movedim(1, -1) if channels_last else input
    library = library_for_floats(line)
    if library is None or not line.numel():
        return None
    output = line if inplace else torch.empty_like(line)
    packed = torch.empty(packed_size(line.numel()), dtype=torch.uint8, device=line.device)
    masks.relu(library, line, output, packed)
    if not inplace:
        return from_memory_order(output, channels_last), packed
    torch.autograd.graph.increment_version(input)
    return input, packed


def _relu_and_bits(input: Tensor, inplace: bool) -> tuple[Tensor, Tensor]:
    output = torch.relu_(input) if inplace else torch.relu(input)
    pack = unless_watched(pack_directly, pack_passing, output)
    return output, pack(output, is_channels_last(output))


def pack_directly(output: Tensor, channels_last: bool) -> Tensor:
    """Return one bit for each element of ``output`` in memory order: not ``output <= 0``."""
    flat = in_memory_order(output, channels_last).view(-1)
    packed = torch.empty(packed_size(flat.numel()), dtype=torch.uint8, device=output.device)
    if choice.may_be_used(output.device) and has_memory(output) and flat.numel():
        from xconv.kernels.masks import pack_passing as launch

        with choice.current(output.device):
            launch(flat, packed)
        return packed
    if masks.pack_passing(flat, packed):
        return packed
    for piece in pieces(flat.numel(), output.device):
        packed[_bytes(piece)] = pack(flat[piece].le(0).logical_not_())
    return packed


pack_passing = torch.library.custom_op("xconv::pack_passing", pack_directly, mutates_args=())
"""The same as one operator, which a compiler leaves whole and a simulation runs as one."""


@pack_passing.register_fake
def _(output: Tensor, channels_last: bool) -> Tensor:
    return output.new_empty(packed_size(output.numel()), dtype=torch.uint8)


def _mask_gradient(grad_output: Tensor, packed: Tensor, channels_last: bool) -> Tensor:
    """Return ``grad_output`` where its bit is set, zero elsewhere."""
    ordered = in_memory_order(grad_output, channels_last)
    gradient = torch.empty_like(ordered)
    if choice.may_be_used(ordered.device) and has_memory(ordered) and ordered.numel():
        from xconv.kernels.masks import mask_gradient as launch

        with choice.current(ordered.device):
            launch(ordered, packed, gradient)
        return from_memory_order(gradient, channels_last)
    if masks.mask_gradient(ordered, packed, gradient):
        return from_memory_order(gradient, channels_last)
    whole = _WHOLE_NUMBERS[ordered.element_size()]
    source, target = ordered.view(-1).view(whole), gradient.view(-1).view(whole)
    for piece in pieces(source.numel(), source.device):
        passes = unpack(packed[_bytes(piece)], piece.stop - piece.start)
        torch.mul(source[piece], passes, out=target[piece])
    return from_memory_order(gradient, channels_last)


mask_gradient = torch.library.custom_op("xconv::mask_gradient", _mask_gradient, mutates_args=())
"""The same as one operator, which a compiler leaves whole and a simulation runs as one."""


@mask_gradient.register_fake
def _(grad_output: Tensor, packed: Tensor, channels_last: bool) -> Tensor:
    ordered = torch.empty_like(in_memory_order(grad_output, channels_last))
    return from_memory_order(ordered, channels_last)


transposes(mask_gradient, mask_gradient)


def _bytes(piece: slice) -> slice:
    """Return the slice of bytes that holds the bits of ``piece``."""
    return slice(piece.start // 8, packed_size(piece.stop))
