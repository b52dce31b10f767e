"""Coefficients of a part of an input, encoded in the classes of bits of a plan.

``counts`` are the numbers of kept coefficients of a block, by ``plan.BITS``; an empty class has no
codes.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from xconv.native import spectral as native
from xconv.native.library import library_for_floats
from xconv.spectrum.blocks import Blocks, by_frequency, offsets, offsets_of_blocks, transform
from xconv.spectrum.plan import BITS
from xconv.spectrum.rounding import GROUP, decode, encode
from xconv.wholes import Stretch, whole


@whole
def encoded(
    input: Tensor,
    images: Stretch,
    channels: Stretch,
    where: tuple[Tensor, ...],
    weights: Tensor,
    turn: Tensor,
    blocks: Blocks,
    counts: Sequence[int],
) -> list[Tensor]:
    """Return codes and scales in turn, for each non-empty class of bits, of a part of ``input``."""
    part = channels.within(images.within(input), 1)
    values = _coefficients(part, where, weights, blocks)
    found: list[Tensor] = []
    for bits, groups in _classes(values, counts):
        found += encode(groups, bits, turn)
        del groups
    return found


def _coefficients(
    images: Tensor, where: tuple[Tensor, ...], weights: Tensor, blocks: Blocks
) -> Tensor:
    """Return the coefficients at some frequencies in all blocks of ``images``, (kept, columns).

    The coefficients of each frequency are multiplied by one of the ``weights`` (kept, 1).
    """
    lines = transform(images.reshape(-1, *blocks.pixels).float(), blocks)
    library = library_for_floats(lines, weights, *where)
    if library is not None:
        starts = offsets_of_blocks(blocks, lines.device)
        return native.pick(library, lines, starts, offsets(where, blocks), weights)
    return by_frequency(lines, blocks)[where].flatten(1).mul_(weights)


def with_zeros(chosen: Tensor, where: tuple[Tensor, ...], blocks: Blocks) -> Tensor:
    """Return coefficients as ``transform`` does, 0 but at some frequencies.

    ``chosen`` are those there, (kept, images, channels, blocks).
    """
    shape = [n for pair in zip(blocks.counts, blocks.sides, strict=True) for n in pair]
    maps, library = chosen.shape[1] * chosen.shape[2], library_for_floats(chosen, *where)
    if library is not None:
        coefficients = chosen.new_empty(maps, *shape)
        starts = offsets_of_blocks(blocks, chosen.device)
        native.put(library, chosen, coefficients, starts, offsets(where, blocks))
        return coefficients
    coefficients = chosen.new_zeros(maps, *shape)
    columns = chosen.flatten(1, 2).unflatten(-1, blocks.counts)
    by_frequency(coefficients, blocks)[where] = columns
    return coefficients


class Stored(NamedTuple):
    """The codes and scales of a class of coefficients, and where those of a part lie in them."""

    codes: Tensor
    of_codes: Stretch
    scales: Tensor
    of_groups: Stretch


@whole
def decoded(
    stored: Sequence[Stored], counts: Sequence[int], shape: Sequence[int], turn: Tensor
) -> Tensor:
    """Return the numbers (kept, *shape), float32, for the codes and scales of each used class."""
    values = turn.new_empty(sum(counts), *shape, dtype=torch.float32)
    used = [(bits, count) for bits, count in zip(BITS, counts, strict=True) if count]
    parts = values.split([count for _, count in used])
    for (bits, _), each, part in zip(used, stored, parts, strict=True):
        code, some = each.of_codes.within(each.codes), each.of_groups.within(each.scales)
        numbers = decode(code, some, bits, turn)
        part.copy_(numbers.view(-1)[: part.numel()].view_as(part))
        del numbers
    return values


def _classes(values: Tensor, counts: Sequence[int]) -> Iterator[tuple[int, Tensor]]:
    """Yield the bits of each non-empty class, and its coefficients in groups (m, GROUP)."""
    for bits, part in zip(BITS, values.split(list(counts)), strict=True):
        if part.numel():
            flat = part.reshape(-1)
            yield bits, F.pad(flat, (0, -flat.numel() % GROUP)).view(-1, GROUP)
