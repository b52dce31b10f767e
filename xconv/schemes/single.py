"""Products of images with single-channel probes, and of probes with coefficients.

Probes are (b, n, *pixels): n for each image, with the n innermost in memory where the images have
their channels there; b is 1 if all images have the same probes.
"""

from dataclasses import replace
from math import prod

import torch
from torch import Tensor

from xconv.cached import cached
from xconv.geometry import Geometry
from xconv.layout import Layout, in_memory_order, is_channels_last
from xconv.schemes.windows import seen_through_windows
from xconv.wholes import whole


@whole
def over_pixels(images: Tensor, probes: Tensor) -> Tensor:
    """Return images (B, C, *pixels) times probes (b, n, *pixels), summed over pixels: (B, C, n)."""
    if is_channels_last(images):
        turned, lines = (t.movedim(1, -1).flatten(1, -2) for t in (images, probes))
        return (lines.transpose(1, 2) @ turned).transpose(1, 2)
    return images.flatten(2) @ probes.flatten(2).transpose(1, 2)


def expand(probes: Tensor, coefficients: Tensor, result: Tensor, beta: int) -> None:
    """Set ``result`` to ``beta`` times itself plus ``Σ_j z_bj c_bcj``.

    This is the transpose of ``over_pixels``. ``coefficients`` (B, C, n); ``result`` (B, C,
    *pixels), dense, contiguous or channels-last; with β = 0 its values are unused.
    """
    probes = probes.expand(len(result), *probes.shape[1:])
    if is_channels_last(result):
        turned, lines = (t.movedim(1, -1).flatten(1, -2) for t in (result, probes))
        turned.baddbmm_(lines, coefficients.transpose(1, 2), beta=beta)
    else:
        rows = result.view(*result.shape[:2], -1)
        rows.baddbmm_(coefficients, probes.flatten(2), beta=beta)


def by_groups(device: torch.device) -> bool:
    """Return whether ``seen`` runs as a grouped convolution on ``device``.

    Elsewhere it is a product with all windows.
    """
    return device.type == "cpu"


@whole
def seen(probes: Tensor, grad_output: Tensor, geometry: Geometry, kernel: torch.Size) -> Tensor:
    """Return Q, (B, O, n, K): output gradients against the probes of their image, by kernel offset.

    On a CPU it is a weight gradient in which every image is a group of channels. Groups that are
    images cannot have their channels innermost in memory, so channels-last tensors go image by
    image.
    """
    if not by_groups(grad_output.device):
        return seen_through_windows(probes, grad_output, geometry, kernel)
    batch, outputs = grad_output.shape[:2]
    if is_channels_last(grad_output) and batch > 1:
        each = probes.expand(batch, *probes.shape[1:]).split(1)
        pairs = zip(each, grad_output.split(1), strict=True)
        return torch.cat([seen(z, delta, geometry, kernel) for z, delta in pairs])
    sets, number = probes.shape[:2]
    if batch > 1:
        probes = probes.reshape(1, sets * number, *probes.shape[2:])
        grad_output = grad_output.reshape(1, batch * outputs, *grad_output.shape[2:])
    geometry = replace(geometry, groups=sets)
    if geometry.transposed:
        weight = probes.new_empty(sets * number, batch // sets * outputs, *kernel)
        q = geometry.weight_gradient(grad_output, probes, weight)
        q = q.reshape(sets, number, batch // sets, outputs, -1).movedim(1, 3)
    else:
        weight = probes.new_empty(batch * outputs, number, *kernel)
        q = geometry.weight_gradient(grad_output, probes, weight)
    return q.reshape(batch, outputs, number, -1)


@whole
def contracted(q: Tensor, coefficients: Tensor, geometry: Geometry, weight: Tensor) -> Tensor:
    """Return ``Σ_b Σ_j q[b, o, j, k] c[b, c, j]`` in the shape of ``weight``, group by group.

    ``q`` (B, O, n, K), ``coefficients`` (B, C, n).
    """
    q = q.unflatten(1, (geometry.groups, -1))
    s = coefficients.unflatten(1, (geometry.groups, -1))
    terms = "bgojk,bgcj->gcok" if geometry.transposed else "bgojk,bgcj->gock"
    return torch.einsum(terms, q, s).reshape(weight.shape)


@whole
def seen_of_ones(
    grad_output: Tensor, geometry: Geometry, layout: Layout, kernel: torch.Size
) -> Tensor:
    """Return ``seen`` of one probe of ones, (B, O, 1, K), in float32 at least.

    ``layout`` is that of all images. An offset of the kernel sees the sum of the output gradient
    over the output pixels from which it looks into the image. These pixels are a product of sets,
    one for each dimension, so sums are taken dimension by dimension, or at once for a single offset
    that always sees the image. Sums of more than 256 float16 numbers are scaled down to stay within
    the range of float16.
    """
    batch, outputs, *sizes = grad_output.shape
    wide = torch.promote_types(grad_output.dtype, torch.float32)
    moved = geometry.transposed, *geometry.padding, *geometry.border
    if prod(kernel) == 1 and not any(moved):
        return grad_output.sum(tuple(range(2, grad_output.dim())), dtype=wide)[..., None, None]
    channels_last = is_channels_last(grad_output)
    lines = in_memory_order(grad_output, channels_last)
    make = _inside if torch._C._len_torch_dispatch_stack() else _inside_cached
    for i, size in enumerate(sizes):
        rest = prod(sizes[i + 1 :]) * (outputs if channels_last else 1)
        first, beyond = _ends(geometry, i, layout.shape[2 + i])
        inside = make(
            size, kernel[i], first, beyond, geometry.stride[i], geometry.dilation[i],
            geometry.transposed, lines.dtype, lines.device,
        )  # fmt: skip
        scale = 2.0 ** max(0, size.bit_length() - 8) if lines.dtype == torch.float16 else 1.0
        inside = inside / scale if scale != 1 else inside
        if rest == 1:
            lines = lines.reshape(-1, size) @ inside.t()
        else:
            lines = inside @ lines.reshape(-1, size, rest)
        lines = lines.to(wide)
        lines = lines.mul_(scale) if scale != 1 else lines
    if channels_last:
        return lines.reshape(batch, -1, 1, outputs).transpose(1, 3)
    return lines.reshape(batch, outputs, 1, -1)


def _inside(
    output: int,
    kernel: int,
    first: int,
    beyond: int,
    stride: int,
    dilation: int,
    transposed: bool,
    dtype: torch.dtype,
    device: torch.device,
) -> Tensor:
    """Return (K, P) of ones and zeros: whether an output pixel sees the image through an offset.

    The image reaches from ``first`` to ``beyond`` along this one dimension.
    """
    pixel = torch.arange(output, device=device)
    offset = dilation * torch.arange(kernel, device=device)[:, None]
    place = pixel - offset if transposed else stride * pixel + offset
    seen = (place >= first) & (place < beyond)
    if transposed:
        seen &= (place - first) % stride == 0
    return seen.to(dtype)


_inside_cached = cached(_inside)


def _ends(geometry: Geometry, dimension: int, size: int) -> tuple[int, int]:
    """Return the first pixel and the end of an image with its border, along one dimension.

    The kernel's first pixel is 0; for a transposed convolution the first pixel of the output is 0.
    """
    padding = geometry.padding[dimension]
    if geometry.transposed:
        return -padding, size * geometry.stride[dimension] - padding
    last_first = 2 * (geometry.dimensions - 1 - dimension)
    before, after = geometry.border[last_first : last_first + 2] or (0, 0)
    if geometry.border_mode == "constant":
        return padding + before, padding + before + size
    return padding, padding + before + size + after
