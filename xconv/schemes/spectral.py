r"""Spectral: cosine coefficients of blocks, the important ones in more bits, the rest by chance.

Each channel is cut into blocks, each block transformed; a plan says with which probability p_f and
in how many bits coefficient f is kept. X̂_f is the rounded X_f / p_f where f is kept and zero where
it is not, so that E[X̂_f] = X_f for every f: nothing is ever dropped for good. Rounding is that of
``spectrum.rounding``, unbiased too, and independent of what is kept.

The gradient needs no x̂. With basis image φ_f and block j at pixel a_j,

    dW[o, c, k] = Σ_{b,j,f} X̂[b, c, j, f] T[b, j, f, k, o],
    T[b, j, f, k, o] = Σ_z φ_f[z] δ[b, o, y],  stride·y + dilation·k − padding = a_j + z,

two matrix products. ``spectrum.correlation`` has the first; where many frequencies are kept of few
channels, forming x̂ costs less.

docs/spectral.md derives all of it and says where it loses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from xconv import autocast
from xconv.geometry import Geometry
from xconv.layout import Layout
from xconv.precision import convolution_precision
from xconv.schemes.scheme import NO_SMALLER, Scheme
from xconv.spectrum import correlation
from xconv.spectrum.blocks import (
    Blocks,
    blocks_of,
    by_frequency,
    inverse_transform,
    places,
    transform,
)
from xconv.spectrum.plan import BITS, SCALE_OF_SCALES, Plan, nominal_plan
from xconv.spectrum.rounding import (
    GROUP,
    decode,
    decode_scales,
    encode,
    encode_scales,
    rotation,
)
from xconv.spectrum.sampling import draw_frequencies

if TYPE_CHECKING:
    from xconv.probing import Probing

_LEAST_BLOCK = 4
"""Coefficients of the smallest block that is worth a plan."""
_LARGEST_BITS = 8
_MOST_BYTES = 1.42
"""Of an element, by the plan of most bits: 8 and their scales, in blocks that reach over edges."""
_MOST_BESIDES = 154
"""Seed, largest scale, and what fills up the last group of each class: bytes at the most."""
_MOST_FREQUENCIES = 512
_AT_A_TIME = {"cpu": 2**20}
_AT_A_TIME_ELSEWHERE = 2**27
"""Elements to work on together: on a CPU few enough to stay in its cache."""


class Spectral(Scheme):
    """Far less error than probes at equal bytes where images are smooth."""

    name = "spectral"
    dial = "bits"
    default = 0.5

    def check(self, value: float) -> None:
        """Bits of an element of the input, on average: above 0, at most 8."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(f"bits must be a number; got {value!r}")
        if not 0 < value <= _LARGEST_BITS:
            raise ValueError(f"bits of spectral must be above 0 and at most 8; got {value:g}")

    def describe(self, probing: Probing) -> str:
        """``spectral, 0.5 bits an element``"""
        return f"spectral, {probing.bits:g} bits an element"

    def why_exact(self, layout: Layout, probing: Probing) -> str:
        """Small maps have no spectrum to speak of; in small tensors indices are no trifle."""
        pixels = prod(layout.shape[2:])
        if pixels < _LEAST_BLOCK:
            return f"maps of {pixels} pixels are too small: exact gradient"
        spared = prod(layout.shape) * (layout.dtype.itemsize - _MOST_BYTES)
        if spared <= _MOST_BESIDES + 2 * min(pixels, _MOST_FREQUENCIES):
            return NO_SMALLER
        return ""

    def keep(
        self,
        input: Tensor,
        seed: Tensor,
        probing: Probing,
        layout: Layout,
        weight: torch.Size,
        output: torch.Size,
        plan: Plan | None,
    ) -> tuple[Tensor, ...]:
        """Seed, bytes, and the frequencies of each class of bits (int16, on the CPU)."""
        blocks = blocks_of(tuple(layout.shape[2:]))
        plan = plan or nominal_plan(blocks, probing.bits or self.default)
        frequencies, weights = draw_frequencies(seed, plan.order, plan.probabilities, plan.kept)
        with convolution_precision(input.device), autocast.switched_off(input.device.type):
            values = _coefficients(input, frequencies, blocks)
            values *= _to(weights, input.device)[:, None]
            packed = _pack(values, plan.counts, seed)
        return seed, packed, *(part.clone() for part in frequencies.split(plan.counts))

    def kept_like(
        self, input: Tensor, layout: Layout, probing: Probing, plan: Plan | None
    ) -> list[Tensor]:
        """As many bytes as the plan's classes take."""
        blocks = blocks_of(tuple(int(n) for n in layout.shape[2:]))
        plan = plan or nominal_plan(blocks, probing.bits or self.default)
        size = plan.packed_bytes(prod(layout.shape[:2]) * blocks.number)
        indices = [torch.empty(count, dtype=torch.int16, device="cpu") for count in plan.counts]
        return [input.new_empty(size, dtype=torch.uint8), *indices]

    def estimate(
        self,
        kept: Sequence[Tensor],
        seed: Tensor,
        grad_output: Tensor,
        geometry: Geometry,
        probing: Probing,
        layout: Layout,
        weight: Tensor,
    ) -> Tensor:
        """Correlate with basis images and contract, or form x̂, whichever takes fewer operations."""
        packed, *classes = kept
        blocks = blocks_of(tuple(layout.shape[2:]))
        frequencies = torch.cat(list(classes))
        device = grad_output.device
        with convolution_precision(device), autocast.switched_off(device.type):
            counts = [len(part) for part in classes]
            values = _unpack(packed, counts, prod(layout.shape[:2]) * blocks.number, seed)
            values = values.view(len(frequencies), *layout.shape[:2], blocks.number)
            return gradient_of(values, frequencies, grad_output, geometry, layout, weight)


def gradient_of(
    values: Tensor,
    frequencies: Tensor,
    grad_output: Tensor,
    geometry: Geometry,
    layout: Layout,
    weight: Tensor,
) -> Tensor:
    """Return the weight gradient, float32, of the input with these coefficients.

    ``values`` (kept, batch, channels, blocks), float32; ``frequencies`` (kept), on the CPU. Exact
    where all coefficients are given as they are.
    """
    blocks = blocks_of(tuple(layout.shape[2:]))
    kept = len(frequencies)
    direct = correlation.applies(blocks, geometry) and correlation.costs_less(
        blocks, kept, geometry, layout, weight.shape, grad_output.shape
    )
    parts = _correlated if direct else _expanded
    total: Tensor | None = None
    for part in parts(values, frequencies, blocks, grad_output, geometry, layout, weight):
        total = part.float() if total is None else total.add_(part)
    assert total is not None
    return total


def _coefficients(input: Tensor, frequencies: Tensor, blocks: Blocks) -> Tensor:
    """(kept, columns): what ``frequencies`` have in the blocks of all images and channels."""
    where = places(_to(frequencies.long(), input.device), blocks)
    parts = []
    for images in _images(input.shape, input.device):
        maps = input[images].contiguous().float().view(-1, *blocks.pixels)
        ordered = by_frequency(transform(maps, blocks), blocks)
        parts.append(ordered[where].flatten(1))
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


def _expanded(
    values: Tensor,
    frequencies: Tensor,
    blocks: Blocks,
    grad_output: Tensor,
    geometry: Geometry,
    layout: Layout,
    weight: Tensor,
) -> Iterator[Tensor]:
    """Weight gradients of x̂, some images at a time."""
    where = places(_to(frequencies.long(), values.device), blocks)
    shape = [n for pair in zip(blocks.counts, blocks.sides, strict=True) for n in pair]
    for images in _images(layout.shape, layout.device):
        chosen = values[:, images]
        coefficients = values.new_zeros(chosen.shape[1] * chosen.shape[2], *shape)
        by_frequency(coefficients, blocks)[where] = chosen.reshape(len(values), -1, *blocks.counts)
        maps = inverse_transform(coefficients, blocks)
        del coefficients
        expanded = maps.reshape(chosen.shape[1], *layout.shape[1:]).to(layout.dtype)
        if layout.channels_last:
            kind = {4: torch.channels_last, 5: torch.channels_last_3d}.get(expanded.dim())
            expanded = expanded.contiguous(memory_format=kind) if kind else expanded
        yield geometry.weight_gradient(grad_output[images], expanded, weight)


def _correlated(
    values: Tensor,
    frequencies: Tensor,
    blocks: Blocks,
    grad_output: Tensor,
    geometry: Geometry,
    layout: Layout,
    weight: Tensor,
) -> Iterator[Tensor]:
    """What some images at a time add to the weight gradient, contracted with their coefficients."""
    kernel = tuple(weight.shape[2:])
    groups, outputs = geometry.groups, weight.shape[0] // geometry.groups
    room = torch.Size([*grad_output.shape, prod(kernel)])
    for images in _images(room, layout.device):
        windows = correlation.windows(grad_output[images].float(), blocks, kernel, geometry)
        seen = correlation.correlate(windows, frequencies, blocks, kernel, geometry)
        del windows
        seen = seen.reshape(-1, prod(kernel), groups, outputs)  # (kept · images · blocks, ...)
        coefficients = values[:, images].transpose(2, 3).reshape(-1, groups, weight.shape[1])
        parts = [
            coefficients[:, g].t() @ seen[:, :, g].reshape(len(seen), -1) for g in range(groups)
        ]
        stacked = torch.stack([part.view(-1, prod(kernel), outputs) for part in parts])
        yield stacked.permute(0, 3, 1, 2).reshape(weight.shape)


def _pack(values: Tensor, counts: Sequence[int], seed: Tensor) -> Tensor:
    """Codes of all classes, then the scales of all groups, then the largest scale."""
    turn = _to(rotation(seed), values.device)
    codes, scales = [], []
    for bits, part in zip(BITS, values.split(list(counts)), strict=True):
        if not part.numel():
            continue
        flat = part.reshape(-1)
        flat = F.pad(flat, (0, -flat.numel() % GROUP))
        packed, sizes = encode(flat.view(-1, GROUP), bits, turn)
        codes.append(packed)
        scales.append(sizes)
    rounded, largest = encode_scales(torch.cat(scales), seed)
    return torch.cat([*codes, rounded, largest.view(1).view(torch.uint8)])


def _unpack(packed: Tensor, counts: Sequence[int], columns: int, seed: Tensor) -> Tensor:
    """The way back: (kept, columns), float32."""
    turn = _to(rotation(seed), packed.device)
    groups = [-(-count * columns // GROUP) for count in counts]
    code_bytes = [number * GROUP * bits // 8 for number, bits in zip(groups, BITS, strict=True)]
    *codes, scale_codes, largest = packed.split([*code_bytes, sum(groups), SCALE_OF_SCALES])
    scales = decode_scales(scale_codes, largest.clone().view(torch.float32))
    values = packed.new_empty(sum(counts), columns, dtype=torch.float32)
    for bits, code, sizes, part in zip(
        BITS, codes, scales.split(groups), values.split(list(counts)), strict=True
    ):
        if part.numel():
            numbers = decode(code, sizes, bits, turn).view(-1)[: part.numel()]
            part.copy_(numbers.view_as(part))
    return values


def _images(shape: torch.Size, device: torch.device) -> Iterator[slice]:
    """A batch some images at a time."""
    batch = shape[0]
    room = _AT_A_TIME.get(device.type, _AT_A_TIME_ELSEWHERE)
    size = max(1, room * batch // max(prod(shape), 1), -(-batch // 64))
    return (slice(start, min(start + size, batch)) for start in range(0, batch, size))


def _to(tensor: Tensor, device: torch.device) -> Tensor:
    """A small tensor of the CPU on ``device``, without waiting for it."""
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)
