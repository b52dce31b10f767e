"""Normalisation of rows: LayerNorm and RMSNorm, whose γ and β belong to columns.

Each row of (rows, columns) has a mean and a standard deviation σ of its own. With d = γ δ,

    dγ = Σ_rows δ x̂,    dx = (d − mean(d) − x̂ mean(d x̂)) / σ,

where RMSNorm, which subtracts no mean, has no mean(d). Kept is x̂ + e with a dither e; both
gradients are made unbiased as ``xconv.saved.maps`` says, in one pass, since no row needs another.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from xconv.layout import Layout
from xconv.saved import native_maps
from xconv.saved.maps import Exchange
from xconv.saved.stand_in import StandIn, at_a_time, slices, wide


@dataclass(frozen=True)
class NormalizedRows:
    """Rows of ``columns`` numbers, which are the last dimensions of an input."""

    columns: int
    is_centred: bool = True

    def sizes(self, layout: Layout) -> list[int]:
        """Return the number of elements of each part that is processed."""
        return [(rows.stop - rows.start) * self.columns for rows in self._parts(layout)]

    def empty(self, layout: Layout) -> Tensor:
        """Return a new contiguous tensor of the input's shape."""
        return torch.empty(layout.shape, dtype=layout.dtype, device=layout.device)

    def keep(
        self, input: Tensor, mean: Tensor | None, rstd: Tensor, seed: Tensor, bits: int
    ) -> StandIn:
        """Return a stand-in for the normalised input x̂.

        ``mean`` and ``rstd`` = 1/σ are those of each row; a mean of None stands for 0.
        """
        layout = Layout.of(input)
        lines, scale = self._lines(input), rstd.reshape(-1, 1).to(wide(rstd.dtype))
        shift = torch.zeros_like(scale) if mean is None else mean.reshape(-1, 1).to(scale.dtype)
        kept = StandIn.empty(self.sizes(layout), bits, seed, input)
        if native_maps.keep(kept, lines.detach(), (shift, scale)):
            return kept
        for part, rows in enumerate(self._parts(layout)):
            values, flat = kept.room(part)
            target = flat.view(-1, self.columns)
            torch.sub(lines[rows], shift[rows], out=target).mul_(scale[rows])
            kept.write(part, values)
        return kept

    def gradients(
        self,
        kept: StandIn,
        grad_output: Tensor,
        weight: Tensor | None,
        rstd: Tensor,
        layout: Layout,
        needs_input: bool,
        exchange: Exchange | None = None,
    ) -> tuple[Tensor | None, Tensor, Tensor]:
        """Return the gradients of the input, of γ and of β.

        The first has the dtype of the input, and is None unless needed. The others are (columns) in
        float32 at least.
        """
        dtype = wide(layout.dtype)
        result = self.empty(layout) if needs_input else None
        of_weight, of_bias = (grad_output.new_zeros(self.columns, dtype=dtype) for _ in range(2))
        lines, rstds = self._lines(grad_output), rstd.reshape(-1, 1).to(dtype)
        gain = None if weight is None else weight.reshape(-1).to(dtype)
        for part, rows in enumerate(self._parts(layout)):
            deltas = lines[rows].to(dtype)
            numbers, products = _restored(kept, part, deltas)
            of_bias += deltas.sum(0)
            of_weight += products.sum(0)
            if result is not None:
                d = deltas if gain is None else deltas * gain
                scale = (products if gain is None else products.mul_(gain)).mean(1, keepdim=True)
                shift = d.mean(1, keepdim=True) if self.is_centred else None
                own = result.view(-1, self.columns)[rows]
                _finish(kept, part, d, numbers, own, (shift, scale, rstds[rows]))
                del d
            del deltas, numbers, products
        return result, of_weight, of_bias

    def _lines(self, tensor: Tensor) -> Tensor:
        return tensor.reshape(-1, self.columns)

    def _parts(self, layout: Layout) -> list[slice]:
        """Return slices of whole rows to process together."""
        rows = at_a_time(layout.device) // self.columns
        return slices(prod(layout.shape) // self.columns, rows)


def _restored(kept: StandIn, part: int, deltas: Tensor) -> tuple[Tensor, Tensor]:
    """Return the numbers of a part, and their products with ``deltas`` (rows, columns)."""
    found = native_maps.restored(kept, part, deltas)
    if found is not None:
        return found
    numbers = kept.read(part).view(deltas.shape).to(deltas.dtype)
    return numbers, deltas * numbers


def _finish(
    kept: StandIn,
    part: int,
    d: Tensor,
    numbers: Tensor,
    result: Tensor,
    tables: tuple[Tensor | None, Tensor, Tensor],
) -> None:
    """Write the gradient of some rows to ``result``: (d (1 + v/N) − shift − x̂ scale) / σ.

    ``tables`` are shift, scale and 1/σ of each row; a shift of None stands for 0.
    """
    shift, scale, spread = tables
    known = torch.zeros_like(scale) if shift is None else shift
    if native_maps.finish_rows(kept, part, d, numbers, result, (known, scale, spread)):
        return
    values = kept.variances(part).view(d.shape).to(d.dtype)
    values.div_(d.shape[1]).add_(1).mul_(d)
    if shift is not None:
        values.sub_(shift)
    result.copy_(values.addcmul_(numbers, scale, value=-1).mul_(spread))
