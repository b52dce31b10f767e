"""Numbers in lines of equal length, each with its own statistics, kept in parts: ``lines.c``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes

from xconv.native.calling import Library

_TRIED = 77
"""Numbers of which some do not fill a vector."""


@dataclass(frozen=True)
class Parts:
    """Parts of a tensor: where each begins, at which group, and the seed of its random numbers.

    Elements and groups have the end of the last part, too. All are int64.
    """

    elements: Tensor
    groups: Tensor
    seeds: Tensor

    def in_c(self, some: slice | None = None) -> tuple[Tensor | int, ...]:
        """Return the last arguments of each function for ``some`` of the parts, or for all."""
        begin, end = (0, len(self.seeds)) if some is None else (some.start, some.stop)
        numbers = self.elements, self.groups, self.seeds, begin, end - begin
        return *numbers, torch.get_num_threads()


def keep(
    library: Library,
    values: Tensor,
    shift: Tensor,
    scale: Tensor,
    packed: Tensor,
    bounds: Tensor,
    bits: int,
    parts: Parts,
) -> None:
    """Write (value − shift) · scale of each of the ``values`` to packed numbers and bounds.

    All are contiguous; floating-point numbers are float32. ``shift`` and ``scale`` have a number
    for each line.
    """
    length = values.numel() // shift.numel()
    library.run(
        "keep_lines", values, shift, scale, length, packed, bounds, bits, *parts.in_c()
    )  # fmt: skip


def restore(
    library: Library,
    packed: Tensor,
    bounds: Tensor,
    deltas: Tensor,
    numbers: Tensor | None,
    products: Tensor,
    bits: int,
    parts: Parts,
    some: slice | None = None,
) -> None:
    """Write what was kept to ``numbers``, and its products with ``deltas`` to ``products``.

    This is done for ``some`` of the parts, or for all. ``products`` begin at the first of these,
    all other tensors at the first of all.
    """
    library.run(
        "restore_lines", packed, bounds, deltas, numbers, products, bits, *parts.in_c(some)
    )  # fmt: skip


def finish(
    library: Library,
    bounds: Tensor,
    deltas: Tensor,
    result: Tensor,
    tables: Sequence[Tensor],
    count: int,
    bits: int,
    parts: Parts,
) -> None:
    """Turn the x̂ in ``result`` into the gradient of the input.

    It is δ (1 + v/count) times the first of three ``tables``, which have a number for each line,
    minus the second, minus x̂ times the third. Not to be called where ``rounds_as_one`` is None.
    """
    length, is_fused = result.numel() // tables[0].numel(), rounds_as_one()
    assert is_fused is not None
    library.run(
        "finish_lines", bounds, deltas, result, *tables, length, float(count), is_fused, bits,
        *parts.in_c(),
    )  # fmt: skip


def finish_rows(
    library: Library,
    bounds: Tensor,
    deltas: Tensor,
    numbers: Tensor,
    result: Tensor,
    tables: Sequence[Tensor],
    bits: int,
    parts: Parts,
) -> None:
    """Write the gradient of the input whose lines are normalised alone to ``result``.

    It is δ (1 + v/length) minus the first of three ``tables``, minus ``numbers`` times the second,
    all times the third. Not to be called where ``rounds_as_one`` is None.
    """
    length, is_fused = result.numel() // tables[0].numel(), rounds_as_one()
    assert is_fused is not None
    library.run(
        "finish_rows", bounds, deltas, numbers, result, *tables, length, is_fused, bits,
        *parts.in_c(),
    )  # fmt: skip


@cache
def rounds_as_one() -> bool | None:
    """Return whether torch's ``addcmul`` rounds product and sum as one; None if only sometimes.

    It depends on the processor that torch was compiled for.
    """
    with _disable_current_modes(), torch.inference_mode(False):
        factors = torch.full((_TRIED,), 1 + 2**-12, dtype=torch.float32, device="cpu")
        sums = torch.full_like(factors, 1 + 2**-11)  # the square, rounded
        are_fused = sums.addcmul_(factors, factors, value=-1).ne(0)
    return bool(are_fused[0]) if len(are_fused.unique()) == 1 else None
