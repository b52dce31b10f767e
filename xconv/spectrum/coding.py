"""Coefficients of a part of an input, encoded in the classes of bits of a plan.

``counts`` are the numbers of kept coefficients of a block, by ``plan.BITS``; an empty class has no
codes.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from xconv.native import spectral as native
from xconv.native.calling import Library
from xconv.native.library import library_for_strided
from xconv.spectrum.blocks import (
    Blocks,
    by_frequency,
    inverse_transform,
    maps_in_memory,
    places,
    transform,
    transforms,
)
from xconv.spectrum.plan import BITS
from xconv.spectrum.rounding import decode, encode
from xconv.wholes import Stretch, whole


@whole
def encoded(
    input: Tensor,
    images: Stretch,
    channels: Stretch,
    frequencies: Tensor,
    weights: Tensor,
    turn: Tensor,
    blocks: Blocks,
    counts: Sequence[int],
) -> list[Tensor]:
    """Return codes and scales in turn, for each non-empty class of bits, of a part of ``input``."""
    part = channels.within(images.within(input), 1)
    values = coefficients(part, frequencies, weights, blocks)
    found: list[Tensor] = []
    for bits, own in zip(BITS, values.split(list(counts)), strict=True):
        if own.numel():
            found += encode(own, bits, turn)
    return found


def coefficients(images: Tensor, frequencies: Tensor, weights: Tensor, blocks: Blocks) -> Tensor:
    """Return the coefficients at some frequencies in all blocks of ``images``, (kept, columns).

    The coefficients of each frequency (int16) are multiplied by one of the ``weights`` (kept).
    """
    library = _library_for(images, weights, frequencies)
    if library is not None:
        images = images.float()
        columns = len(images) * images.shape[1] * blocks.number
        maps, cosines = maps_in_memory(images, blocks), transforms(blocks)
        return native.pick(library, images, maps, columns, cosines, frequencies, weights)
    lines = transform(images.reshape(-1, *blocks.pixels).float(), blocks)
    where = places(frequencies, blocks)
    return by_frequency(lines, blocks)[where].flatten(1).mul_(weights[:, None])


@whole
def fill(
    target: Tensor,
    images: Stretch,
    channels: Stretch,
    chosen: Tensor,
    frequencies: Tensor,
    blocks: Blocks,
) -> None:
    """Write to some images and channels of ``target`` the maps with ``chosen`` coefficients.

    These are (kept, images, channels, blocks), at ``frequencies`` (int16); all others are 0.
    """
    target = channels.within(images.within(target), 1)
    library = _library_for(target, chosen, frequencies)
    if library is None:
        coefficients = _with_zeros(chosen, places(frequencies, blocks), blocks)
        target.copy_(inverse_transform(coefficients, blocks).reshape(target.shape))
        return
    is_float = target.dtype == torch.float32
    found = target if is_float else torch.empty_like(target, dtype=torch.float32)
    maps, cosines = maps_in_memory(found, blocks), transforms(blocks)
    native.put(library, chosen, found, maps, chosen[0].numel(), cosines, frequencies)
    if not is_float:
        target.copy_(found)


def _library_for(images: Tensor, numbers: Tensor, frequencies: Tensor) -> Library | None:
    """Return the library of kernels if they may read all three."""
    if (numbers.dtype, frequencies.dtype) != (torch.float32, torch.int16):
        return None
    return library_for_strided(images, numbers, frequencies)


def _with_zeros(chosen: Tensor, where: tuple[Tensor, ...], blocks: Blocks) -> Tensor:
    """Return coefficients as ``transform`` does, 0 but at some frequencies.

    ``chosen`` are those there, (kept, images, channels, blocks).
    """
    shape = [n for pair in zip(blocks.counts, blocks.sides, strict=True) for n in pair]
    coefficients = chosen.new_zeros(chosen.shape[1] * chosen.shape[2], *shape)
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
        decode(code, some, bits, turn, part)
    return values
