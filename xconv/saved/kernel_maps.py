"""Normalised maps by kernels: one launch to keep them, two for their gradients.

They take the place of ``NormalizedMaps`` where every part of a stand-in has whole groups, so that
groups follow each other as if there were one part.
"""

from __future__ import annotations

from torch import Tensor

from xconv.capture import refuse_capture
from xconv.grouped import GROUP
from xconv.kernels import choice, normalized
from xconv.kernels.groups import encode_normalized
from xconv.layout import Layout, from_memory_order, in_memory_order
from xconv.saved.map_sets import MapSets
from xconv.saved.stand_in import StandIn


def covers(kept: StandIn, layout: Layout) -> bool:
    """Return whether there are kernels for this stand-in of an input of ``layout``."""
    return normalized.covers(layout) and not any(size % GROUP for size in kept.sizes[:-1])


def keep(kept: StandIn, input: Tensor, mean: Tensor, rstd: Tensor, way: MapSets) -> None:
    """Write the normalised ``input`` to ``kept``; arguments are those of ``NormalizedMaps.keep``.

    Raises RuntimeError while a CUDA graph is captured.
    """
    refuse_capture(input.device)
    layout = Layout.of(input)
    input = from_memory_order(in_memory_order(input, layout.channels_last), layout.channels_last)
    shifts, scales = _table(mean, layout, way), _table(rstd, layout, way)
    with choice.current(input.device):
        encode_normalized(
            input, kept.packed, kept.bounds, shifts, scales, int(kept.seed), kept.bits,
            layout.channels_last,
        )  # fmt: skip


def gradients(
    kept: StandIn,
    grad_output: Tensor,
    weight: Tensor | None,
    rstd: Tensor,
    layout: Layout,
    needs_input: bool,
    way: MapSets,
) -> tuple[Tensor | None, Tensor, Tensor]:
    """Return the gradients of input, γ and β, as ``NormalizedMaps.gradients`` does."""
    stored = kept.packed, kept.bounds, int(kept.seed), kept.bits
    deltas = in_memory_order(grad_output.detach(), layout.channels_last)
    with choice.current(deltas.device):
        sums = normalized.sums(*stored, deltas, layout)
        totals = sums.sum((1, 2))
        result = None
        if needs_input:
            tables = _tables(sums, totals, weight, rstd, layout, way)
            count = way.count(layout.shape)
            result = normalized.finish(*stored, deltas, layout, tables, count)
    return result, totals[1], totals[0]


def _tables(
    sums: Tensor,
    totals: Tensor,
    weight: Tensor | None,
    rstd: Tensor,
    layout: Layout,
    way: MapSets,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the tables of ``normalized.finish``, of each channel where that is enough."""
    count = way.count(layout.shape)
    gain = None if weight is None else weight.detach().float()
    if way.is_by_channel(layout.shape):
        spread = rstd.reshape(-1).float()
        scaled = spread if gain is None else spread * gain
        shift, scale = totals * (scaled / count)
        return scaled, shift, scale
    sums = sums.sum(1)
    means = way.pooled(sums if gain is None else sums * gain) / count
    spread = way.of_maps(rstd.float(), layout.shape)
    shift, scale = (way.of_maps(m, layout.shape) * spread for m in means)
    scaled = spread if gain is None else spread * gain
    return scaled.reshape(-1), shift.reshape(-1), scale.reshape(-1)


def _table(statistics: Tensor, layout: Layout, way: MapSets) -> Tensor:
    """Return statistics as kernels take them: flat, float32, of each channel or each map."""
    statistics = statistics.detach().float()
    if not way.is_by_channel(layout.shape):
        statistics = way.of_maps(statistics, layout.shape)
    return statistics.reshape(-1)
