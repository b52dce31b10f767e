"""Spectral: cosine coefficients of blocks, important ones in more bits, the others at random.

Each channel is cut into blocks and each block transformed. A plan says with which probability p_f
and in how many bits coefficient f is kept. X̂_f is the rounded X_f / p_f if f is kept and zero if
not, so that E[X̂_f] = X_f for every f: no frequency is dropped for good. ``spectrum.rounding``
rounds without bias and independently of which coefficients are kept.

The gradient needs no x̂. With basis image φ_f and block j at pixel a_j,

    dW[o, c, k] = Σ_{b,j,f} X̂[b, c, j, f] T[b, j, f, k, o],
    T[b, j, f, k, o] = Σ_z φ_f[z] δ[b, o, y],  stride·y + dilation·k − padding = a_j + z,

two matrix products. ``spectrum.correlation`` computes the first. If many frequencies are
kept, or there are few channels, forming x̂ costs less.

docs/spectral.md derives all of it and says where it loses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from xconv import autocast
from xconv.amounts import bits_an_element
from xconv.geometry import Geometry
from xconv.kernels import choice
from xconv.layout import Layout
from xconv.precision import convolution_precision
from xconv.schemes.rebuilt import gradient_of_images
from xconv.schemes.scheme import NO_SMALLER, Scheme
from xconv.spectrum import correlation
from xconv.spectrum.blocks import Blocks, blocks_of
from xconv.spectrum.coding import Stored, decoded, encoded, fill
from xconv.spectrum.parts import parts_of
from xconv.spectrum.plan import BITS, BlockPlan, Contribution, divide, most_bits, nominal_plan
from xconv.spectrum.rounding import (
    GROUP,
    SCALE_BITS,
    decode_scales,
    encode_scales,
    rotation,
)
from xconv.spectrum.sampling import draw_frequencies
from xconv.watching import has_memory
from xconv.wholes import Stretch, whole

if TYPE_CHECKING:
    from xconv.schemes.scheme import Dials

_LEAST_BLOCK = 4
"""Pixels of the smallest map that is worth a plan."""
_LARGEST_BITS = 8
_LARGEST_BLOCK = 512
_SCALES = (8, 16)
"""Bits that the scale of a group may take."""
_SCALE_OF_SCALES = 4
"""Bytes of the largest scale."""
_OVERHEAD = 160
"""Largest number of bytes per call for incomplete groups, the largest scale and the seed."""
_HEADROOM = 256
"""Factor by which the largest scale may exceed 1 when x̂ is formed.

No pixel of x̂ is more than 100 times as large as the scale, and float16 ends at 65504.
"""


class Spectral(Scheme):
    """Transform coding: far less error than probes at equal bytes if images are smooth.

    >>> layer = XConv2d(3, 8, 3, scheme="spectral", bits=0.5)
    >>> layer(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 8, 30, 30])
    """

    name = "spectral"
    dial = "bits"
    default = 1
    allowed = "above 0, up to 8"

    def check(self, value: float) -> None:
        """Raise an error unless ``value`` is a number of bits above 0 and at most 8."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(f"bits must be a number; got {value!r}")
        if not 0 < value <= _LARGEST_BITS:
            raise ValueError(f"bits of spectral must be above 0 and at most 8; got {value:g}")

    def describe(self, probing: Dials) -> str:
        """Return a text such as ``spectral, 1 bit an element``."""
        return f"spectral, {bits_an_element(probing.bits or Spectral.default)}"

    def why_exact(self, layout: Layout, probing: Dials) -> str:
        """Return a reason for maps that are too small, or that a plan might make no smaller.

        The second reason assumes the worst case: a plan that gives all bits to one layer.
        """
        pixels, elements = prod(layout.shape[2:]), prod(layout.shape)
        if pixels < _LEAST_BLOCK:
            return f"maps of fewer than {_LEAST_BLOCK} pixels are too small: exact gradient"
        indices = 2 * min(pixels, _LARGEST_BLOCK)
        largest = elements * (most_bits(layout.dtype) + 1) // 8 + indices + _OVERHEAD
        return "" if largest < elements * layout.dtype.itemsize else NO_SMALLER

    def divide(self, parts: Sequence[Contribution], mean: float) -> Sequence[BlockPlan]:
        """Return plans that have the same price of a bit."""
        return divide(parts, mean)

    def keep(
        self,
        input: Tensor,
        seed: Tensor,
        probing: Dials,
        layout: Layout,
        weight: torch.Size,
        output: torch.Size,
        plan: BlockPlan | None,
    ) -> tuple[Tensor, ...]:
        """Return seed, bytes, and the frequencies of each class of bits (int16, on the CPU).

        The bytes are the codes of all classes, part by part, followed by the scales of all groups
        in the same order, and by the largest scale.
        """
        blocks = blocks_of(tuple(layout.shape[2:]))
        plan = plan or _nominal(blocks, layout, probing)
        kernels = _kernels(layout)
        if kernels is not None and has_memory(input):
            return seed, *kernels.keep(input, seed, layout, plan)
        frequencies, weights = draw_frequencies(seed, plan.order, plan.probabilities, plan.kept)
        chosen, weights = _to(frequencies, input.device), _to(weights, input.device)
        turn = _to(rotation(seed), input.device)
        codes: list[Tensor] = []
        used = [bits for bits, count in zip(BITS, plan.counts, strict=True) if count]
        scales: dict[int, list[Tensor]] = {bits: [] for bits in _SCALES}
        with convolution_precision(input.device), autocast.switched_off(input.device.type):
            for images, channels in _each_part(layout):
                part = Stretch.of(images), Stretch.of(channels)
                found = encoded(input, *part, chosen, weights, turn, blocks, plan.counts)
                codes += found[::2]
                for bits, sizes in zip(used, found[1::2], strict=True):
                    scales[SCALE_BITS[bits]].append(sizes)
            several = {bits: torch.cat(some) for bits, some in scales.items() if some}
            largest = torch.stack([some.max() for some in several.values()]).max()
            rounded = (encode_scales(some, largest, seed, bits) for bits, some in several.items())
            kept = torch.cat([*codes, *rounded, largest.view(1).view(torch.uint8)])
        return seed, kept, *(part.clone() for part in frequencies.split(plan.counts))

    def kept_like(
        self, input: Tensor, layout: Layout, probing: Dials, plan: BlockPlan | None
    ) -> list[Tensor]:
        """Return empty tensors for the bytes and the frequencies that the plan needs."""
        blocks = blocks_of(tuple(int(n) for n in layout.shape[2:]))
        plan = plan or _nominal(blocks, layout, probing)
        kernels = _kernels(layout)
        if kernels is not None:
            like: list[Tensor] = kernels.kept_like(input, layout, plan)
            return like
        size = packed_bytes(plan, layout)
        indices = [torch.empty(count, dtype=torch.int16, device="cpu") for count in plan.counts]
        return [input.new_empty(size, dtype=torch.uint8), *indices]

    def estimate(
        self,
        kept: Sequence[Tensor],
        seed: Tensor,
        grad_output: Tensor,
        geometry: Geometry,
        probing: Dials,
        layout: Layout,
        weight: Tensor,
    ) -> Tensor:
        """Return the weight gradient by correlation with basis images, or by forming x̂.

        Whichever should take less time is chosen.
        """
        kernels = _kernels_that_kept(kept)
        if kernels is not None:
            gradient: Tensor = kernels.estimate(kept, seed, grad_output, geometry, layout, weight)
            return gradient
        packed, *classes = kept
        largest = packed[-_SCALE_OF_SCALES:].clone().view(torch.float32)
        is_narrow = layout.dtype == torch.float16
        factor = (largest / _HEADROOM).clamp(min=1) if is_narrow else None
        device = grad_output.device
        with convolution_precision(device), autocast.switched_off(device.type):
            counts = [len(part) for part in classes]
            top = largest if factor is None else largest / factor
            values = _unpacked(packed, counts, layout, top, seed)
            total = gradient_of(
                values, torch.cat(list(classes)), grad_output, geometry, layout, weight
            )
        return total if factor is None else total.mul_(factor)


def _kernels(layout: Layout) -> Any:
    """Return the module of the kernels that keep inputs of ``layout``, or None without kernels."""
    if not choice.may_be_used(layout.device):
        return None
    from xconv.kernels import spectral

    return spectral if spectral.covers(layout) else None


def _kernels_that_kept(kept: Sequence[Tensor]) -> Any:
    """Return the module of the kernels that made ``kept``, or None if no kernel did."""
    if len(kept) > len(BITS):
        return None
    from xconv.kernels import spectral

    return spectral


def packed_bytes(plan: BlockPlan, layout: Layout) -> int:
    """Return the bytes of an input of ``layout`` by ``plan``, without seed and frequencies."""
    total = _SCALE_OF_SCALES
    for part in _each_part(layout):
        for bits, groups in zip(BITS, _groups(plan.counts, layout, *part), strict=True):
            total += groups * (GROUP * bits + SCALE_BITS[bits]) // 8
    return total


def gradient_of(
    values: Iterator[Tensor],
    frequencies: Tensor,
    grad_output: Tensor,
    geometry: Geometry,
    layout: Layout,
    weight: Tensor,
) -> Tensor:
    """Return the weight gradient, float32, of the input with these coefficients.

    ``values`` (kept, images, channels, blocks), float32, come part by part; ``frequencies`` (kept)
    are on the CPU. The gradient is exact if all coefficients are given unrounded.
    """
    blocks = blocks_of(tuple(layout.shape[2:]))
    ways = (blocks, len(frequencies), geometry, layout, weight.shape, grad_output.shape)
    direct = correlation.applies(blocks, geometry) and correlation.costs_less(*ways)
    way = _correlated if direct else _expanded
    return way(values, frequencies, blocks, grad_output, geometry, layout, weight)


def _expanded(
    values: Iterator[Tensor],
    frequencies: Tensor,
    blocks: Blocks,
    grad_output: Tensor,
    geometry: Geometry,
    layout: Layout,
    weight: Tensor,
) -> Tensor:
    """Return the weight gradient of x̂, formed some images at a time."""
    total: Tensor | None = None
    where = _to(frequencies, layout.device)
    for some in _together(layout, weight):
        images = slice(some[0][0].start, some[-1][0].stop)
        expanded = layout.empty(images)
        for own, parts in some:
            place = Stretch(own.start - images.start, own.stop - own.start)
            for channels in parts:
                fill(expanded, place, Stretch.of(channels), next(values), where, blocks)
        found = gradient_of_images(geometry, grad_output, Stretch.of(images), expanded, weight)
        total = found.float() if total is None else total.add_(found)
    assert total is not None  # no batch is empty here
    return total


def _together(layout: Layout, weight: Tensor) -> Iterator[list[tuple[slice, list[slice]]]]:
    """Yield the parts of an input in lists, whose images have twice the weight's size at most.

    A weight gradient takes no less time for fewer images than for about so many.
    """
    room = 2 * weight.numel() // prod(layout.shape[1:])
    some: list[tuple[slice, list[slice]]] = []
    for images, parts in parts_of(layout):
        if some and images.stop - some[0][0].start > room:
            yield some
            some = []
        some.append((images, parts))
    yield some


def _correlated(
    values: Iterator[Tensor],
    frequencies: Tensor,
    blocks: Blocks,
    grad_output: Tensor,
    geometry: Geometry,
    layout: Layout,
    weight: Tensor,
) -> Tensor:
    """Return the weight gradient from the output gradient's correlations with basis images.

    These are multiplied with the coefficients, some images at a time.
    """
    kernel = tuple(weight.shape[2:])
    groups, inputs, outputs = geometry.groups, weight.shape[1], weight.shape[0] // geometry.groups
    ways = (blocks, len(frequencies), geometry, layout, weight.shape, grad_output.shape)
    size = correlation.images_at_a_time(*ways)
    total = grad_output.new_zeros(layout.shape[1], prod(kernel) * outputs, dtype=torch.float32)
    for images, parts in parts_of(layout):
        chosen = next(values)
        for first in range(images.start, images.stop, size):
            some = Stretch(first, min(size, images.stop - first))
            seen = correlation.of_images(grad_output, some, frequencies, blocks, kernel, geometry)
            for channels in parts:
                chosen = next(values) if channels.start else chosen
                _contract(
                    chosen,
                    Stretch(first - images.start, some.length),
                    seen,
                    channels,
                    inputs,
                    total,
                )
            del seen
    total = total.view(groups, inputs, prod(kernel), outputs)
    return total.permute(0, 3, 1, 2).reshape(weight.shape)


@whole
def _contract(
    chosen: Tensor, images: Stretch, seen: Tensor, channels: slice, inputs: int, total: Tensor
) -> None:
    """Add to ``total`` (channels, K · outputs) the product of coefficients and ``seen``.

    These are ``chosen``, (kept, images, channels, blocks), of some ``images`` and some
    ``channels``, ``inputs`` of which make a group; ``seen`` is as ``correlation.of_images`` has it.
    """
    coefficients = images.within(chosen, 1).transpose(2, 3).flatten(0, 2)
    for group in range(channels.start // inputs, (channels.stop - 1) // inputs + 1):
        start = max(channels.start, group * inputs)
        stop = min(channels.stop, (group + 1) * inputs)
        own = coefficients[:, start - channels.start : stop - channels.start]
        total[start:stop].addmm_(own.t(), seen[:, :, group].flatten(1))


def _unpacked(
    packed: Tensor, counts: Sequence[int], layout: Layout, largest: Tensor, seed: Tensor
) -> Iterator[Tensor]:
    """Yield the values that ``gradient_of`` takes, (kept, images, channels, blocks), float32."""
    turn = _to(rotation(seed), packed.device)
    parts = list(_each_part(layout))
    sizes = [_groups(counts, layout, *part) for part in parts]
    scales = _scales(packed, sizes, largest)
    number = blocks_of(tuple(layout.shape[2:])).number
    byte, group = 0, dict.fromkeys(_SCALES, 0)
    for (images, channels), groups_of in zip(parts, sizes, strict=True):
        shape = images.stop - images.start, channels.stop - channels.start, number
        stored = []
        for bits, groups in zip(BITS, groups_of, strict=True):
            if groups:
                size, width = groups * GROUP * bits // 8, SCALE_BITS[bits]
                spans = Stretch(byte, size), Stretch(group[width], groups)
                stored.append(Stored(packed, spans[0], scales[width], spans[1]))
                byte, group[width] = byte + size, group[width] + groups
        values = decoded(stored, counts, shape, turn)  # live on while the next ones are made
        yield values


def _scales(packed: Tensor, sizes: Sequence[Sequence[int]], largest: Tensor) -> dict[int, Tensor]:
    """Return the scales of the groups that there are, float32, by the bits that they are kept in.

    ``sizes`` are the groups of each class in each part.
    """
    scales, stop = {}, packed.numel() - _SCALE_OF_SCALES
    for width in reversed(_SCALES):
        wide = [n for n, bits in enumerate(BITS) if SCALE_BITS[bits] == width]
        start = stop - sum(part[n] for part in sizes for n in wide) * width // 8
        if start < stop:
            scales[width] = decode_scales(packed[start:stop], largest, width)
        stop = start
    return scales


def _nominal(blocks: Blocks, layout: Layout, probing: Dials) -> BlockPlan:
    """Return the plan of an input that has not been observed."""
    bits = probing.bits or Spectral.default
    return nominal_plan(blocks, bits, most_bits(layout.dtype))


def _each_part(layout: Layout) -> Iterator[tuple[slice, slice]]:
    """Yield images and channels of the parts of an input."""
    return ((images, channels) for images, parts in parts_of(layout) for channels in parts)


def _groups(counts: Sequence[int], layout: Layout, images: slice, channels: slice) -> list[int]:
    """Return the number of groups of each class of bits in a part of an input."""
    maps = (images.stop - images.start) * (channels.stop - channels.start)
    columns = maps * blocks_of(tuple(int(n) for n in layout.shape[2:])).number
    return [-(-count * columns // GROUP) for count in counts]


def _to(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy a small tensor from the CPU to ``device`` without waiting for it."""
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)
