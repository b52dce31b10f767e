"""The spectral scheme by kernels: three launches to keep an input, two to restore it.

It keeps four things: the seed; the bytes that ``schemes.spectral`` keeps of an input in one part,
with each frequency filled up to whole groups; the frequencies, on the device (int16); and their
number in each class of bits, on the CPU (int16). x̂ is formed and passed to the backend's own
weight gradient: it takes the place of the input gradient, which the layer computes next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, prod

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from xconv.capture import refuse_capture
from xconv.geometry import Geometry
from xconv.kernels import choice
from xconv.kernels.prepare import prepare, rotation
from xconv.kernels.rebuild import rebuild
from xconv.kernels.scales import round_scales
from xconv.kernels.sketch import sketch
from xconv.kernels.tiling import Tiling, known_tiling
from xconv.layout import Layout, from_memory_order, in_memory_order
from xconv.precision import allows_tf32
from xconv.spectrum.blocks import blocks_of
from xconv.spectrum.plan import BlockPlan
from xconv.spectrum.rounding import GROUP

AT_A_TIME = 2**25
"""Elements of x̂ to process together, if one image has no more."""
_ENOUGH = 128
"""Groups of a frequency beyond which an incomplete one wastes less than a hundredth."""
_MOST = 2**31
"""Elements that 32-bit integers can count."""
_SCALE_BYTES = 4
_HEADROOM = 256.0
"""Upper bound of the largest scale in float16, as in ``schemes.spectral``."""

_TABLES: WeakTensorKeyDictionary = WeakTensorKeyDictionary()
"""The ``tables`` argument of ``prepare``, by the ``order`` of a plan and then by device."""


def covers(layout: Layout) -> bool:
    """Return whether there are kernels for inputs of ``layout``.

    There are none for float64, for inputs whose incomplete groups would waste room, and for more
    elements than 32 bits count.
    """
    if layout.dtype not in (torch.float32, torch.float16, torch.bfloat16):
        return False
    if prod(layout.shape) > _MOST:
        return False
    columns = prod(layout.shape[:2]) * blocks_of(tuple(int(n) for n in layout.shape[2:])).number
    return columns % GROUP == 0 or columns >= _ENOUGH * GROUP


def kept_like(input: Tensor, layout: Layout, plan: BlockPlan) -> list[Tensor]:
    """Return empty tensors like those of ``keep``."""
    tiling = Tiling.of(layout, plan.counts)
    return [
        input.new_empty(tiling.bytes, dtype=torch.uint8),
        input.new_empty(plan.kept, dtype=torch.int16),
        torch.empty(len(plan.counts), dtype=torch.int16, device="cpu"),
    ]


def keep(input: Tensor, seed: Tensor, layout: Layout, plan: BlockPlan) -> tuple[Tensor, ...]:
    """Return bytes, frequencies and counts. Raises RuntimeError while a CUDA graph is captured."""
    refuse_capture(input.device)
    tiling, number = known_tiling(layout, plan.counts), int(seed)
    input = from_memory_order(
        in_memory_order(input.detach(), layout.channels_last), layout.channels_last
    )
    with choice.current(input.device):
        precision = _precision(layout)
        frequencies, work = prepare(number, _tables(plan, input.device), plan.kept, precision)
        packed = torch.empty(tiling.bytes, dtype=torch.uint8, device=input.device)
        groups = plan.kept * tiling.groups
        scales = torch.empty(groups, dtype=torch.float32, device=input.device)
        sketch(input, tiling, frequencies, work, packed, scales, precision)
        round_scales(scales, work, packed, tiling.code_bytes, tiling.narrow, number)
    return packed, frequencies, torch.tensor(plan.counts, dtype=torch.int16, device="cpu")


def estimate(
    kept: Sequence[Tensor],
    seed: Tensor,
    grad_output: Tensor,
    geometry: Geometry,
    layout: Layout,
    weight: Tensor,
) -> Tensor:
    """Return the weight gradient; if there are several parts, their sum is in float32."""
    total: Tensor | None = None
    for images, rebuilt in rebuilt_parts(kept, seed, layout):
        is_all = images.stop - images.start == layout.shape[0]
        deltas = grad_output if is_all else grad_output[images]
        part = geometry.weight_gradient(deltas, rebuilt, weight)
        del rebuilt
        part = part if is_all else part.float()
        total = part if total is None else total.add_(part)
    assert total is not None
    if layout.dtype != torch.float16:
        return total
    largest = kept[0][-_SCALE_BYTES:].clone().view(torch.float32)
    return total.float().mul_((largest / _HEADROOM).clamp_(min=1))


def rebuilt_parts(
    kept: Sequence[Tensor], seed: Tensor, layout: Layout
) -> Iterator[tuple[slice, Tensor]]:
    """Yield slices of images with their x̂, in the layout of these images.

    In float16 no scale is above 256: if the largest scale is, x̂ is smaller by the same factor.
    """
    packed, frequencies, counts = kept
    tiling = known_tiling(layout, tuple(counts.tolist()))
    precision = _precision(layout)
    most = _HEADROOM if layout.dtype == torch.float16 else float("inf")
    with choice.current(packed.device):
        turn = rotation(int(seed), packed.device, precision)
    for images in _some_images(layout):
        output = layout.empty(images)
        with choice.current(packed.device):
            rebuild(output, images, tiling, frequencies, turn, packed, most, precision)
        yield images, output


def _some_images(layout: Layout) -> Iterator[slice]:
    batch = layout.shape[0]
    parts = ceil(prod(layout.shape) / AT_A_TIME)
    size = max(1, ceil(batch / parts))
    return (slice(start, min(start + size, batch)) for start in range(0, batch, size))


def _precision(layout: Layout) -> str:
    """Return how matrix units multiply: ``tf32`` where allowed, else ``tf32x3``.

    Convolutions may use TF32 for half dtypes, and for float32 if torch allows it. ``tf32x3`` makes
    three products in TF32 of each one in float32.
    """
    if layout.dtype != torch.float32 or allows_tf32():
        return "tf32"
    return "tf32x3"


def _tables(plan: BlockPlan, device: torch.device) -> Tensor:
    known = _TABLES.setdefault(plan.order, {})
    if device not in known:
        chances = plan.probabilities
        tables = torch.cat([chances.cumsum(0), plan.order.double(), chances.reciprocal()])
        if device.type == "cuda":
            tables = tables.pin_memory()
        known[device] = tables.to(device, non_blocking=True)
    table: Tensor = known[device]
    return table
