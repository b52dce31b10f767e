"""Correlations of output gradients with probes, as one matrix product for each image.

This is the way for devices whose convolutions are slow if every image is a group of its own: a
matrix of windows is laid out, and each image's output gradient is multiplied by its own.
"""

from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from xconv.geometry import Geometry
from xconv.layout import is_channels_last


def seen_through_windows(
    probes: Tensor, grad_output: Tensor, geometry: Geometry, kernel: torch.Size
) -> Tensor:
    """Return Q, (B, O, n, K), of probes (b, n, *pixels) and output gradients (B, O, *pixels).

    ``b`` is 1 if all images have the same probes.
    """
    windows = _windows(probes.movedim(1, -1), grad_output.shape[2:], kernel, geometry)
    if is_channels_last(grad_output):
        turned = grad_output.movedim(1, -1).flatten(1, -2)
        q = (windows.transpose(1, 2) @ turned).transpose(1, 2)
    else:
        q = grad_output.flatten(2) @ windows
    q = q.unflatten(2, (prod(kernel), -1)).transpose(2, 3)
    return q.flip(3) if geometry.transposed else q


def _windows(lines: Tensor, output: torch.Size, kernel: torch.Size, geometry: Geometry) -> Tensor:
    """Return (b, P, K·n): what each of P output pixels sees through each kernel offset.

    ``lines`` are (b, *pixels, n). A transposed convolution reads as a convolution with a flipped
    kernel over a probe that has stride - 1 zeros between its pixels.
    """
    lines = lines.contiguous()
    if geometry.transposed:
        lines, strides = _spread(lines, output, kernel, geometry), (1,) * len(kernel)
    else:
        zeros = [n for p in reversed(geometry.padding) for n in (p, p)]
        lines = geometry.pad(lines.movedim(-1, 1)).movedim(1, -1)
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


def _spread(lines: Tensor, output: torch.Size, kernel: torch.Size, geometry: Geometry) -> Tensor:
    """Return probes with zeros between and around their pixels, (b, *padded pixels, n)."""
    pixels = lines.shape[1:-1]
    sizes = [(n - 1) * s + 1 for n, s in zip(pixels, geometry.stride, strict=True)]
    spread = lines.new_zeros(len(lines), *sizes, lines.shape[-1])
    spread[(slice(None), *(slice(None, None, s) for s in geometry.stride))] = lines
    margins: list[int] = []
    for size, n, k, d, padding in zip(
        sizes, output, kernel, geometry.dilation, geometry.padding, strict=True
    ):
        before = d * (k - 1) - padding
        margins = [before, n + d * (k - 1) - before - size, *margins]
    return F.pad(spread, (0, 0, *margins))
