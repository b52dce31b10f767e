"""Independent probes: every channel is probed on its own, with the same r probes (paper's default).

``Z`` is N × r and the sketch is B × C × r. Correlate the output gradient with the single-channel
probes first, then contract with the sketch:

    Q[b, o, k, j] = Σ_p δ[b, o, p] z_j[pixel that output p sees through kernel offset k]
    dW[o, c, k]   ≈ (1/r) Σ_b Σ_j Q[b, o, k, j] S[b, c, j]

Both are matrix products; the first costs r/C of the exact weight gradient.
"""

from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from xconv.geometry import Geometry, pixels
from xconv.layout import Layout, is_channels_last
from xconv.schemes.base import SMALL_CHUNK, Probes

_DIVIDED = 2
"""How many times longer a multiplication takes where the probes come in several chunks."""


class Independent(Probes):
    """E‖error‖² ∝ 1/r whatever the number of channels, for C times multi's sketch."""

    name = "independent"

    def probe_shape(self, layout: Layout) -> tuple[int, ...]:
        """(1, *pixels)"""
        return 1, *layout.shape[2:]

    def sketch_shape(self, layout: Layout, probes: int) -> tuple[int, ...]:
        """(B, C, r)"""
        return layout.shape[0], layout.shape[1], probes

    def chunk_size(
        self, layout: Layout, probes: int, weight: torch.Size, output: torch.Size
    ) -> int:
        """A quarter of the input's size in probes, or what correlating with them needs."""
        if self.expanding_costs_less(layout, probes, weight, output):
            few = SMALL_CHUNK // pixels(layout.shape)
            return max(1, few, layout.shape[0] * layout.shape[1] // 4)
        a_probe = self._correlating(layout, weight, output)
        return max(1, max(SMALL_CHUNK, prod(layout.shape) + prod(output)) // a_probe)

    def arrange(
        self, numbers: Tensor, count: int, shape: tuple[int, ...], layout: Layout
    ) -> Tensor:
        """Probes innermost in memory, as the columns of a matrix (N, n)."""
        return numbers.view(*shape, count).movedim(-1, 0)

    def project(self, input: Tensor, probes: Tensor) -> Tensor:
        """(B·C × N)(N × n)"""
        return _over_pixels(input, probes.flatten(1).t())

    def expand(self, probes: Tensor, coefficients: Tensor, result: Tensor, beta: int) -> None:
        """(B·C × n)(n × N)"""
        lines = probes.flatten(1)
        if is_channels_last(result):
            turned = result.movedim(1, -1).flatten(1, -2)
            columns = lines.t().expand(len(result), -1, -1)
            turned.baddbmm_(columns, coefficients.transpose(1, 2), beta=beta)
        else:
            rows = result.view(-1, lines.shape[1])
            rows.addmm_(coefficients.reshape(len(rows), -1), lines, beta=beta)

    def expanding_costs_less(
        self, layout: Layout, probes: int, weight: torch.Size, output: torch.Size
    ) -> bool:
        """Multiplications of both orders, for one image, where there is room for either.

        A backend's weight gradient visits the smaller of both images, whichever way it convolves.
        Correlating with some probes at a time takes products that are too small to be quick.
        """
        room = max(SMALL_CHUNK, prod(layout.shape) + prod(output) + prod(weight))
        needed = self._correlating(layout, weight, output)
        if needed > room:
            return True
        seen, weights = prod(output[1:]) * prod(weight[2:]), prod(weight)
        correlating = probes * (seen + weights) * (_DIVIDED if needed * probes > room else 1)
        smaller = min(pixels(layout.shape), pixels(output))
        return probes * prod(layout.shape[1:]) + weights * smaller < correlating

    def _correlating(self, layout: Layout, weight: torch.Size, output: torch.Size) -> int:
        """Elements for each probe: itself, padded, its columns, Q, and the copy of Q that the
        contraction makes."""
        seen = max(pixels(layout.shape), pixels(output))
        return 2 * seen + prod(weight[2:]) * (pixels(output) + 2 * output[0] * output[1])

    def correlate(
        self,
        probes: Tensor,
        coefficients: Tensor,
        grad_output: Tensor,
        geometry: Geometry,
        weight: Tensor,
    ) -> Tensor:
        """Q, then its contraction with the sketch over images and probes, group by group."""
        kernel = tuple(weight.shape[2:])
        columns = _columns(probes, grad_output.shape[2:], kernel, geometry)
        q = _over_pixels(grad_output, columns)
        q = q.unflatten(2, (prod(kernel), -1)).unflatten(1, (geometry.groups, -1))
        s = coefficients.unflatten(1, (geometry.groups, -1))
        if geometry.transposed:
            gradient = torch.einsum("bgokj,bgcj->gcok", q, s)
            return gradient.reshape(weight.shape).flip(*range(2, weight.dim()))
        return torch.einsum("bgokj,bgcj->gock", q, s).reshape(weight.shape)


def _over_pixels(images: Tensor, matrix: Tensor) -> Tensor:
    """(B, C, *pixels) times (N, m) over the pixels: (B, C, m)."""
    if is_channels_last(images):
        turned = images.movedim(1, -1).flatten(1, -2)
        return torch.bmm(matrix.t().expand(len(images), -1, -1), turned).transpose(1, 2)
    return images.flatten(2) @ matrix


def _columns(
    probes: Tensor, output: torch.Size, kernel: tuple[int, ...], geometry: Geometry
) -> Tensor:
    """(P, K·n): what each of the P output pixels sees of the probes through each kernel offset.

    A transposed convolution reads as a convolution with a flipped kernel over a probe that has
    stride - 1 zeros between its pixels.
    """
    if geometry.transposed:
        lines, strides = _spread(probes, output, kernel, geometry), (1,) * len(kernel)
    else:
        zeros = [n for p in reversed(geometry.padding) for n in (p, p)]
        lines = geometry.pad(probes)[:, 0].movedim(0, -1)
        lines = F.pad(lines, (0, 0, *zeros)) if any(zeros) else lines
        strides = geometry.stride
    *along, inner = lines.stride()
    windows = lines.as_strided(
        (*output, *kernel, lines.shape[-1]),
        (
            *(n * step for n, step in zip(along, strides, strict=True)),
            *(n * step for n, step in zip(along, geometry.dilation, strict=True)),
            inner,
        ),
    )
    return windows.reshape(prod(output), -1)


def _spread(
    probes: Tensor, output: torch.Size, kernel: tuple[int, ...], geometry: Geometry
) -> Tensor:
    """(*padded pixels, n): probes with zeros in between and around."""
    lines = probes[:, 0].movedim(0, -1)
    sizes = [(n - 1) * s + 1 for n, s in zip(lines.shape, geometry.stride, strict=False)]
    spread = lines.new_zeros(*sizes, lines.shape[-1])
    spread[tuple(slice(None, None, s) for s in geometry.stride)] = lines
    margins: list[int] = []
    for size, n, k, d, padding in zip(
        sizes, output, kernel, geometry.dilation, geometry.padding, strict=True
    ):
        before = d * (k - 1) - padding
        margins = [before, n + d * (k - 1) - before - size, *margins]
    return F.pad(spread, (0, 0, *margins))
