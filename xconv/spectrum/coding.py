"""Coefficients of a part of an input, encoded in the classes of bits of a plan.

``counts`` are the numbers of kept coefficients of a block, by ``plan.BITS``; an empty class has no
codes.
"""

from collections.abc import Iterator, Sequence

import torch.nn.functional as F
from torch import Tensor

from xconv.spectrum.blocks import Blocks, by_frequency, transform
from xconv.spectrum.plan import BITS
from xconv.spectrum.rounding import GROUP, decode, encode
from xconv.wholes import whole


@whole
def encoded(
    part: Tensor,
    where: tuple[Tensor, ...],
    weights: Tensor,
    turn: Tensor,
    blocks: Blocks,
    counts: Sequence[int],
) -> list[Tensor]:
    """Return codes and scales in turn, for each non-empty class of bits, of a part of an input."""
    values = _coefficients(part, where, blocks).mul_(weights)
    found: list[Tensor] = []
    for bits, groups in _classes(values, counts):
        found += encode(groups, bits, turn)
        del groups
    return found


def _coefficients(images: Tensor, where: tuple[Tensor, ...], blocks: Blocks) -> Tensor:
    """Return the coefficients at some frequencies in all blocks of ``images``, (kept, columns)."""
    lines = transform(images.reshape(-1, *blocks.pixels).float(), blocks)
    return by_frequency(lines, blocks)[where].flatten(1)


@whole
def decode_into(
    values: Tensor, counts: Sequence[int], stored: Sequence[tuple[Tensor, Tensor]], turn: Tensor
) -> None:
    """Write to ``values`` (kept, ...) the numbers for the codes and scales of each used class."""
    used = [(bits, count) for bits, count in zip(BITS, counts, strict=True) if count]
    parts = values.split([count for _, count in used])
    for (bits, _), (code, some), part in zip(used, stored, parts, strict=True):
        numbers = decode(code, some, bits, turn)
        part.copy_(numbers.view(-1)[: part.numel()].view_as(part))
        del numbers


def _classes(values: Tensor, counts: Sequence[int]) -> Iterator[tuple[int, Tensor]]:
    """Yield the bits of each non-empty class, and its coefficients in groups (m, GROUP)."""
    for bits, part in zip(BITS, values.split(list(counts)), strict=True):
        if part.numel():
            flat = part.reshape(-1)
            yield bits, F.pad(flat, (0, -flat.numel() % GROUP)).view(-1, GROUP)
