"""The geometry of a convolution, and the three linear maps that it is made of.

A convolution is linear in its input and in its weight. The forward pass, the gradient of the input
and the gradient of the weight are each one call of the backend; nothing here is random.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Sizes = int | Sequence[int]

_FORWARD: dict[tuple[bool, int], Any] = {
    (False, 1): torch.conv1d,
    (False, 2): torch.conv2d,
    (False, 3): torch.conv3d,
    (True, 1): torch.conv_transpose1d,
    (True, 2): torch.conv_transpose2d,
    (True, 3): torch.conv_transpose3d,
}


@dataclass(frozen=True)
class Geometry:
    """Stride, padding, dilation and groups of a convolution in 1, 2 or 3 dimensions.

    ``border`` is padding that is applied before the convolution, in the form of
    ``torch.nn.functional.pad`` (last dimension first, empty for none) and in ``border_mode``. It
    holds padding modes other than zeros, and the odd pixel of an even kernel under
    ``padding="same"``.
    """

    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int = 1
    transposed: bool = False
    output_padding: tuple[int, ...] = ()
    border: tuple[int, ...] = ()
    border_mode: str = "constant"

    @property
    def dimensions(self) -> int:
        """Return the number of spatial dimensions: 1, 2 or 3."""
        return len(self.stride)

    def convolve(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Run torch's own forward pass, which raises torch's errors for shapes that do not fit."""
        function = _FORWARD[self.transposed, self.dimensions]
        if self.transposed:
            return function(
                input, weight, bias, self.stride, self.padding, self.output_padding,
                self.groups, self.dilation,
            )  # fmt: skip
        return function(
            self.pad(input), weight, bias, self.stride, self.padding, self.dilation, self.groups
        )

    def input_gradient(self, grad_output: Tensor, weight: Tensor, shape: torch.Size) -> Tensor:
        """Return the gradient of an input of ``shape`` (batch, channels, *pixels).

        The values of the input are not needed. On the CPU, ``convolution_backward`` would still
        fill a whole stand-in tensor, so the adjoint is called by name there: a convolution is the
        input gradient of a transposed convolution and the reverse, with the same result.
        """
        padded = self._padded_shape(shape)
        if grad_output.device.type == "cpu":
            gradient = self._adjoint(grad_output, weight, padded)
        else:
            stand_in = grad_output.new_empty(1).expand(padded)
            gradient = self._backward(grad_output, stand_in, weight, [True, False, False])[0]
        return self._unpad(gradient, shape)

    def weight_gradient(self, grad_output: Tensor, input: Tensor, weight: Tensor) -> Tensor:
        """Return ``input ⋆ grad_output``, the gradient of ``weight``, whose values are not used."""
        return self._backward(grad_output, self.pad(input), weight, [False, True, False])[1]

    def pad(self, input: Tensor) -> Tensor:
        """Return ``input`` with its border."""
        return F.pad(input, self.border, self.border_mode) if self.border else input

    def _padded_shape(self, shape: torch.Size) -> tuple[int, ...]:
        sides = [self.border[i] + self.border[i + 1] for i in range(0, len(self.border), 2)]
        pixels = [n + m for n, m in zip(shape[2:], reversed(sides), strict=True)] if sides else []
        return (*shape[:2], *(pixels or shape[2:]))

    def _backward(
        self, grad_output: Tensor, input: Tensor, weight: Tensor, mask: list[bool]
    ) -> tuple[Tensor, Tensor, Tensor]:
        return torch.ops.aten.convolution_backward(
            grad_output, input, weight, None, self.stride, self.padding, self.dilation,
            self.transposed, self.output_padding or (0,) * self.dimensions, self.groups, mask,
        )  # fmt: skip

    def _adjoint(self, grad_output: Tensor, weight: Tensor, shape: tuple[int, ...]) -> Tensor:
        function = _FORWARD[not self.transposed, self.dimensions]
        if self.transposed:
            gradient = function(
                grad_output, weight, None, self.stride, self.padding, self.dilation, self.groups
            )
            for dim, size in enumerate(shape[2:], 2):  # output_padding may exceed the stride
                gradient = gradient.narrow(dim, 0, size)
            return gradient
        reached = [
            (n - 1) * stride - 2 * padding + dilation * (kernel - 1) + 1
            for n, stride, padding, dilation, kernel in zip(
                grad_output.shape[2:],
                self.stride,
                self.padding,
                self.dilation,
                weight.shape[2:],
                strict=True,
            )
        ]
        rest = [n - m for n, m in zip(shape[2:], reached, strict=True)]
        return function(
            grad_output, weight, None, self.stride, self.padding, rest, self.groups, self.dilation
        )

    def _unpad(self, gradient: Tensor, shape: torch.Size) -> Tensor:
        """Return the adjoint of ``pad`` applied to ``gradient``, which is overwritten.

        ``F.pad``'s own backward pass would need the input to have been saved.
        """
        for i in range(0, len(self.border), 2):
            dim = gradient.dim() - 1 - i // 2
            gradient = self._fold(gradient, dim, self.border[i], shape[dim])
        return gradient.clone() if self.border else gradient

    def _fold(self, gradient: Tensor, dim: int, before: int, size: int) -> Tensor:
        """Add the gradient of the border to the pixels it was copied from, and drop the border."""
        after = gradient.shape[dim] - before - size
        head = gradient.narrow(dim, 0, before)
        inner = gradient.narrow(dim, before, size)
        tail = gradient.narrow(dim, before + size, after)
        if self.border_mode == "circular":
            inner.narrow(dim, size - before, before).add_(head)
            inner.narrow(dim, 0, after).add_(tail)
        elif self.border_mode == "replicate":
            inner.narrow(dim, 0, 1).add_(head.sum(dim, keepdim=True))
            inner.narrow(dim, size - 1, 1).add_(tail.sum(dim, keepdim=True))
        elif self.border_mode == "reflect":
            inner.narrow(dim, 1, before).add_(head.flip(dim))
            inner.narrow(dim, size - 1 - after, after).add_(tail.flip(dim))
        return inner


def same_padding(kernel: tuple[int, ...], dilation: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Return the pixels before and after each dimension that keep its size.

    An odd pixel comes after.
    """
    totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    return tuple((total // 2, total - total // 2) for total in totals)


def resolve_padding(
    padding: str | tuple[int, ...],
    mode: str,
    kernel: tuple[int, ...],
    dilation: tuple[int, ...],
) -> tuple[tuple[int, ...], tuple[int, ...], str]:
    """Return ``(padding, border, border_mode)`` of a Geometry for torch's padding arguments.

    Raises RuntimeError, as torch does, for a word other than ``"same"`` and ``"valid"``.
    """
    if isinstance(padding, str) and padding not in ("same", "valid"):
        raise RuntimeError(f"invalid padding {padding!r}; expected 'same', 'valid' or integers")
    if padding == "valid":
        padding = (0,) * len(kernel)
    if padding == "same":
        sides = same_padding(kernel, dilation)
    else:
        sides = tuple((int(p), int(p)) for p in padding)
    if mode != "zeros":
        border = tuple(n for pair in reversed(sides) for n in pair)
        return (0,) * len(kernel), border, mode
    border = tuple(n for before, after in reversed(sides) for n in (0, after - before))
    return tuple(before for before, _ in sides), border if any(border) else (), "constant"


def per_dimension(value: Sizes, dimensions: int) -> tuple[int, ...]:
    """Return one number for each dimension; a single one is repeated, as in torch."""
    numbers = (value,) if isinstance(value, int) else tuple(value)
    return numbers * dimensions if len(numbers) == 1 else numbers


def pixels(shape: torch.Size | tuple[int, ...]) -> int:
    """Return the number of pixels of one channel of a tensor (batch, channels, *pixels)."""
    return prod(shape[2:])
