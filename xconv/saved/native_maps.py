"""Passes over normalised maps and rows by kernels in C, in place of operators of both their files.

They are for float32 tensors whose maps, or rows, follow each other in memory. Each function returns
False, or None, having done nothing, for others. A few parts of maps are restored together, as many
as there are threads; torch sums them, in its own order.
"""

from __future__ import annotations

from itertools import accumulate

import torch
from torch import Tensor

from xconv.cached import cached
from xconv.kernels import choice
from xconv.native import lines
from xconv.native.calling import Library
from xconv.native.library import library_for_floats
from xconv.native.lines import Parts
from xconv.random import mixed
from xconv.saved.stand_in import StandIn, slices

Tables = tuple[Tensor, ...]
"""Numbers of each map, (images, channels)."""


def keep(kept: StandIn, input: Tensor, tables: Tables) -> bool:
    """Write ``input`` minus the first of two ``tables``, times the second, to ``kept``."""
    shift, scale = (table.contiguous() for table in tables)
    library = _library(kept, input, shift, scale)
    if library is None:
        return False
    lines.keep(library, input, shift, scale, kept.packed, kept.bounds, kept.bits, _parts(kept))
    return True


def sums(kept: StandIn, deltas: Tensor, result: Tensor | None, tables: Tensor) -> bool:
    """Write the sums of δ and of δ x̂ over each map to two ``tables``, and x̂ to ``result``."""
    library = _library(kept, deltas, tables, *([] if result is None else [result]))
    if library is None:
        return False
    parts, pixels = _parts(kept), deltas.numel() // tables[0].numel()
    ends, totals = [0, *accumulate(kept.sizes)], tables.view(2, -1)
    of_deltas, of_products = totals[0], totals[1]
    lines_of, products = deltas.view(-1, pixels), None
    for some in slices(len(kept.sizes), torch.get_num_threads()):
        first, end = ends[some.start] // pixels, ends[some.stop] // pixels
        if products is None or len(products) != end - first:
            products = deltas.new_empty(end - first, pixels)
        lines.restore(
            library, kept.packed, kept.bounds, deltas, result, products, kept.bits, parts, some
        )  # fmt: skip
        torch.sum(lines_of[first:end], 1, out=of_deltas[first:end])
        torch.sum(products, 1, out=of_products[first:end])
    return True


def finish(
    kept: StandIn, deltas: Tensor, result: Tensor, count: int | Tensor, tables: Tables
) -> bool:
    """Turn the x̂ in ``result`` into the gradient of the input, as ``maps`` says."""
    tables = tuple(table.contiguous() for table in tables)
    library = _library(kept, deltas, result, *tables)
    if library is None or isinstance(count, Tensor) or lines.rounds_as_one() is None:
        return False
    lines.finish(library, kept.bounds, deltas, result, tables, count, kept.bits, _parts(kept))
    return True


def restored(kept: StandIn, part: int, deltas: Tensor) -> tuple[Tensor, Tensor] | None:
    """Return the numbers of a part and their products with ``deltas``, or None."""
    library = _library(kept, deltas)
    if library is None:
        return None
    numbers, products = torch.empty_like(deltas), torch.empty_like(deltas)
    lines.restore(
        library, kept.packed, kept.bounds, deltas, numbers, products, kept.bits, _alone(kept, part)
    )  # fmt: skip
    return numbers, products


def finish_rows(
    kept: StandIn, part: int, deltas: Tensor, numbers: Tensor, result: Tensor, tables: Tables
) -> bool:
    """Write the gradient of a part of the rows to ``result``, as ``lines.finish_rows`` says."""
    tables = tuple(table.contiguous() for table in tables)
    library = _library(kept, deltas, numbers, result, *tables)
    if library is None or lines.rounds_as_one() is None:
        return False
    lines.finish_rows(
        library, kept.bounds, deltas, numbers, result, tables, kept.bits, _alone(kept, part)
    )  # fmt: skip
    return True


def _library(kept: StandIn, maps: Tensor, *others: Tensor) -> Library | None:
    """Return the library if it may read ``maps`` and what was kept, and all are float32."""
    if choice.is_claimed(kept.seed):  # kernels of a GPU drew other random numbers
        return None
    return library_for_floats(kept.seed, kept.packed, kept.bounds, maps, *others)


def _parts(kept: StandIn) -> Parts:
    seeds = [mixed(kept.seed, part) for part in range(len(kept.sizes))]
    return _parts_of((0, *accumulate(kept.sizes)), tuple(kept.ends), seeds)


def _alone(kept: StandIn, part: int) -> Parts:
    """Return one part, whose elements count from 0."""
    seeds = [mixed(kept.seed, part)]
    return _parts_of((0, kept.sizes[part]), tuple(kept.ends[part : part + 2]), seeds)


def _parts_of(elements: tuple[int, ...], groups: tuple[int, ...], seeds: list[int]) -> Parts:
    return Parts(_table(elements), _table(groups), torch.tensor(seeds, device="cpu"))


@cached
def _table(numbers: tuple[int, ...]) -> Tensor:
    return torch.tensor(numbers, device="cpu")
