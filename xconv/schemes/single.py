"""Products of images with probes of a single channel, and of those with coefficients.

Probes are (b, *pixels, n): n of them for each image, innermost in memory as the columns of a
matrix; b is 1 where all images have the same.
"""

from collections.abc import Iterator
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from xconv.geometry import Geometry
from xconv.layout import Layout, in_memory_order, is_channels_last
from xconv.schemes.base import SMALL_CHUNK


def over_pixels(images: Tensor, matrix: Tensor) -> Tensor:
    """Return (B, C, *pixels) times (b, N, m) over the pixels: (B, C, m)."""
    if is_channels_last(images):
        turned = images.movedim(1, -1).flatten(1, -2)
        return (matrix.transpose(1, 2) @ turned).transpose(1, 2)
    return images.flatten(2) @ matrix


def expand(lines: Tensor, coefficients: Tensor, result: Tensor, beta: int) -> None:
    """Add ``Σ_j z_bj c_bcj`` to ``beta`` times ``result``: ``over_pixels``, transposed.

    ``lines`` (b, N, n), ``coefficients`` (B, C, n); ``result`` is (B, C, *pixels), dense,
    contiguous or channels-last; with β = 0 it may hold anything.
    """
    lines = lines.expand(len(result), -1, -1)
    if is_channels_last(result):
        turned = result.movedim(1, -1).flatten(1, -2)
        turned.baddbmm_(lines, coefficients.transpose(1, 2), beta=beta)
    else:
        rows = result.view(*result.shape[:2], -1)
        rows.baddbmm_(coefficients, lines.transpose(1, 2), beta=beta)


def columns(
    probes: Tensor, output: torch.Size, kernel: tuple[int, ...], geometry: Geometry
) -> Tensor:
    """Return (b, P, K·n): what each of the P output pixels sees of the probes through each kernel
    offset.

    A transposed convolution reads as a convolution with a flipped kernel over a probe that has
    stride - 1 zeros between its pixels.
    """
    if geometry.transposed:
        lines, strides = _spread(probes, output, kernel, geometry), (1,) * len(kernel)
    else:
        zeros = [n for p in reversed(geometry.padding) for n in (p, p)]
        lines = geometry.pad(probes.movedim(-1, 1)).movedim(1, -1)
        lines = F.pad(lines, (0, 0, *zeros)) if any(zeros) else lines
        strides = geometry.stride
    image, *along, inner = lines.stride()
    windows = lines.as_strided(
        (len(lines), *output, *kernel, lines.shape[-1]),
        (
            image,
            *(n * step for n, step in zip(along, strides, strict=True)),
            *(n * step for n, step in zip(along, geometry.dilation, strict=True)),
            inner,
        ),
    )
    return windows.reshape(len(lines), prod(output), -1)


def contracted(q: Tensor, coefficients: Tensor, geometry: Geometry, weight: Tensor) -> Tensor:
    """Return ``Σ_b Σ_j q[b, o, k, j] c[b, c, j]`` in the shape of ``weight``, group by group.

    ``q`` (B, O, K·n), ``coefficients`` (B, C, n). The offsets k are those of ``columns``.
    """
    q = q.unflatten(2, (prod(weight.shape[2:]), -1)).unflatten(1, (geometry.groups, -1))
    s = coefficients.unflatten(1, (geometry.groups, -1))
    if geometry.transposed:
        gradient = torch.einsum("bgokj,bgcj->gcok", q, s)
        return gradient.reshape(weight.shape).flip(*range(2, weight.dim()))
    return torch.einsum("bgokj,bgcj->gock", q, s).reshape(weight.shape)


def constant_gradients(
    values: Tensor, grad_output: Tensor, geometry: Geometry, layout: Layout, weight: Tensor
) -> Iterator[Tensor]:
    """Return the weight gradients of images whose channels are constant, ``values`` (B, C), in the
    dtype of these: some images after the other.

    An offset of the kernel sees the sum of the output gradient over the output pixels from which it
    looks into the image. These are a product of sets, one for each dimension, so the sums are
    taken dimension by dimension.
    """
    kernel, output = tuple(weight.shape[2:]), grad_output.shape
    inside = [
        _inside(i, layout.shape[2 + i], output[2 + i], kernel[i], geometry, grad_output)
        for i in range(len(kernel))
    ]
    sizes, largest = list(output[2:]), 0
    for i, offsets in enumerate(kernel):
        sizes[i] = offsets
        largest = max(largest, output[1] * prod(sizes))
    room = max(SMALL_CHUNK, prod(layout.shape) + prod(output)) // 4
    size = min(output[0], max(1, room // largest))
    for start in range(0, output[0], size):
        some = slice(start, start + size)
        sums = _sums(grad_output[some], inside, values.dtype)
        yield contracted(sums, values[some].unsqueeze(2), geometry, weight)


def _sums(grad_output: Tensor, inside: list[Tensor], dtype: torch.dtype) -> Tensor:
    """(B, O, K): what each offset sees of images of ones."""
    batch, outputs, *sizes = grad_output.shape
    channels_last = is_channels_last(grad_output)
    lines = in_memory_order(grad_output, channels_last)
    for dimension, matrix in enumerate(inside):
        rest = prod(sizes[dimension + 1 :]) * (outputs if channels_last else 1)
        matrix = matrix.to(lines.dtype)
        if rest == 1:
            lines = lines.reshape(-1, len(matrix)) @ matrix
        else:
            lines = matrix.t() @ lines.reshape(-1, len(matrix), rest)
        lines = lines.to(dtype)
    if channels_last:
        return lines.reshape(batch, -1, outputs).transpose(1, 2)
    return lines.reshape(batch, outputs, -1)


def _inside(
    dimension: int, size: int, output: int, kernel: int, geometry: Geometry, like: Tensor
) -> Tensor:
    """(P, K) of ones and zeros, dtype and device of ``like``: whether an output pixel sees a pixel
    of the image or of its border through an offset, along one dimension."""
    stride, step = geometry.stride[dimension], geometry.dilation[dimension]
    pixel = torch.arange(output, device=like.device)[:, None]
    offset = step * torch.arange(kernel, device=like.device)
    if geometry.transposed:
        place = pixel + geometry.padding[dimension] - offset.flip(0)
        seen = (place >= 0) & (place < size * stride) & (place % stride == 0)
        return seen.to(like.dtype)
    last_first = 2 * (geometry.dimensions - 1 - dimension)
    before, after = geometry.border[last_first : last_first + 2] or (0, 0)
    place = stride * pixel + offset - geometry.padding[dimension] - before
    if geometry.border_mode == "constant":
        before = after = 0
    return ((place >= -before) & (place < size + after)).to(like.dtype)


def _spread(
    probes: Tensor, output: torch.Size, kernel: tuple[int, ...], geometry: Geometry
) -> Tensor:
    """(b, *padded pixels, n): probes with zeros in between and around."""
    pixels = probes.shape[1:-1]
    sizes = [(n - 1) * s + 1 for n, s in zip(pixels, geometry.stride, strict=True)]
    spread = probes.new_zeros(len(probes), *sizes, probes.shape[-1])
    spread[(slice(None), *(slice(None, None, s) for s in geometry.stride))] = probes
    margins: list[int] = []
    for size, n, k, d, padding in zip(
        sizes, output, kernel, geometry.dilation, geometry.padding, strict=True
    ):
        before = d * (k - 1) - padding
        margins = [before, n + d * (k - 1) - before - size, *margins]
    return F.pad(spread, (0, 0, *margins))
