"""Passes over normalised maps by kernels in C, in place of the operators of ``xconv.saved.maps``.

They are for maps in float32 that follow each other in memory. Each function returns False, having
done nothing, for others. A few parts are restored together, as many as there are threads; torch
sums them, in its own order.
"""

from __future__ import annotations

from itertools import accumulate

import torch
from torch import Tensor

from xconv.kernels import choice
from xconv.native import lines
from xconv.native.calling import Library
from xconv.native.library import library_for
from xconv.native.lines import Parts
from xconv.random import mixed
from xconv.saved.stand_in import StandIn, slices

Tables = tuple[Tensor, ...]
"""Numbers of each map, (images, channels)."""


def keep(kept: StandIn, input: Tensor, tables: Tables) -> bool:
    """Write ``input`` minus the first of two ``tables``, times the second, to ``kept``."""
    library = _library(kept, input, *tables)
    if library is None:
        return False
    shift, scale = (table.contiguous() for table in tables)
    lines.keep(library, input, shift, scale, kept.packed, kept.bounds, kept.bits, _parts(kept))
    return True


def sums(kept: StandIn, deltas: Tensor, result: Tensor | None, tables: Tensor) -> bool:
    """Write the sums of δ and of δ x̂ over each map to two ``tables``, and x̂ to ``result``."""
    library = _library(kept, deltas, tables, *([] if result is None else [result]))
    if library is None:
        return False
    parts, pixels = _parts(kept), deltas.numel() // tables[0].numel()
    ends, totals = parts.elements.tolist(), tables.view(2, -1)
    for some in slices(len(kept.sizes), torch.get_num_threads()):
        first, end = ends[some.start], ends[some.stop]
        products, maps = deltas.new_empty(end - first), slice(first // pixels, end // pixels)
        lines.restore(
            library, kept.packed, kept.bounds, deltas, result, products, kept.bits,
            parts.some(some),
        )  # fmt: skip
        totals[0, maps] = deltas.view(-1)[first:end].view(-1, pixels).sum(1)
        totals[1, maps] = products.view(-1, pixels).sum(1)
    return True


def finish(
    kept: StandIn, deltas: Tensor, result: Tensor, count: int | Tensor, tables: Tables
) -> bool:
    """Turn the x̂ in ``result`` into the gradient of the input, as ``maps`` says."""
    library = _library(kept, deltas, result, *tables)
    if library is None or isinstance(count, Tensor) or lines.rounds_as_one() is None:
        return False
    tables = tuple(table.contiguous() for table in tables)
    lines.finish(library, kept.bounds, deltas, result, tables, count, kept.bits, _parts(kept))
    return True


def _library(kept: StandIn, maps: Tensor, *others: Tensor) -> Library | None:
    """Return the library if it may read ``maps`` and what was kept, and all are float32."""
    if any(tensor.dtype != torch.float32 for tensor in (maps, *others, kept.bounds)):
        return None
    if choice.is_claimed(kept.seed):  # kernels of a GPU drew other random numbers
        return None
    return library_for(kept.seed, kept.packed, kept.bounds, maps, *others)


def _parts(kept: StandIn) -> Parts:
    seeds = [mixed(kept.seed, part) for part in range(len(kept.sizes))]
    return Parts.of([0, *accumulate(kept.sizes)], kept.ends, seeds)
