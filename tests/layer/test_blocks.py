"""Blocks cover every map; their transform is orthonormal, the cosine transform, and has an
inverse."""

from math import prod

import pytest
import torch
from geometries import DRAWN
from hypothesis import given, settings
from hypothesis import strategies as st

from xconv.spectrum.blocks import (
    blocks_of,
    by_frequency,
    cosines,
    inverse_transform,
    places,
    transform,
)

CPU = torch.device("cpu")
MAPS = st.one_of(
    *(st.tuples(*[st.integers(1, high)] * n) for n, high in ((1, 150), (2, 40), (3, 20)))
)


def maps_of(pixels: tuple[int, ...], count: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, *pixels, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("side", range(1, 41))
def test_every_size_comes_back(side: int, dimensions: int) -> None:
    pixels = (side,) * dimensions
    blocks, maps = blocks_of(pixels), maps_of(pixels)
    there = transform(maps, blocks)
    torch.testing.assert_close(inverse_transform(there, blocks), maps, rtol=1e-12, atol=1e-12)
    if blocks.covered == pixels:
        torch.testing.assert_close(there.square().sum(), maps.square().sum())


@settings(DRAWN, max_examples=150)
@given(MAPS)
def test_sides_are_neither_short_nor_long_and_cover_little_more_than_the_map(
    pixels: tuple[int, ...],
) -> None:
    blocks = blocks_of(pixels)
    shortest, longest = {1: (32, 64), 2: (8, 16), 3: (4, 8)}[len(pixels)]
    for length, side, count, covered in zip(
        pixels, blocks.sides, blocks.counts, blocks.covered, strict=True
    ):
        assert min(shortest, length) <= side <= longest
        assert covered - side < length <= covered == side * count
        allowed = range(min(shortest, length), min(longest, length) + 1)
        assert covered == min(-(-length // each) * each for each in allowed)
    assert (blocks.size, blocks.number) == (prod(blocks.sides), prod(blocks.counts))


@settings(DRAWN, max_examples=60)
@given(MAPS)
def test_any_shape_comes_back(pixels: tuple[int, ...]) -> None:
    blocks, maps = blocks_of(pixels), maps_of(pixels, 1)
    back = inverse_transform(transform(maps, blocks), blocks)
    torch.testing.assert_close(back, maps, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("side", range(1, 65))
def test_the_rows_are_orthonormal(side: int) -> None:
    rows = cosines(side, torch.float64, CPU)
    torch.testing.assert_close(rows @ rows.t(), torch.eye(side, dtype=torch.float64))


def test_the_first_coefficient_is_the_mean_and_a_cosine_has_one() -> None:
    blocks = blocks_of((8,))
    constant = transform(torch.full((1, 8), 3.0, dtype=torch.float64), blocks).view(-1)
    torch.testing.assert_close(constant[0].item(), 3 * 8**0.5)
    assert constant[1:].abs().max() < 1e-12
    points = torch.arange(8, dtype=torch.float64)
    wave = torch.cos(torch.pi * (2 * points + 1) * 3 / 16)[None]
    assert transform(wave, blocks).view(-1).abs().gt(1e-12).tolist() == [n == 3 for n in range(8)]


@pytest.mark.parametrize("pixels", [(70,), (12, 20), (17, 9), (8, 4, 12)], ids=str)
def test_coefficients_are_found_by_frequency(pixels: tuple[int, ...]) -> None:
    """Each frequency's are what its basis image gives, block by block."""
    blocks, maps = blocks_of(pixels), maps_of(pixels)
    ordered = by_frequency(transform(maps, blocks), blocks)
    frequencies = torch.arange(blocks.size)
    chosen = ordered[places(frequencies, blocks)]
    assert chosen.shape == (blocks.size, 2, *blocks.counts)
    assert chosen.reshape(blocks.size, -1).equal(ordered.reshape(blocks.size, -1))
    impulse = torch.zeros(
        1, *[n for pair in zip(blocks.counts, blocks.sides, strict=True) for n in pair]
    )
    impulse = impulse.double()
    by_frequency(impulse, blocks)[places(frequencies[-1:], blocks)] = 1.0
    covered = blocks_of(blocks.covered)
    assert covered.sides == blocks.sides
    image = inverse_transform(impulse, covered)
    if blocks.covered == pixels:
        torch.testing.assert_close(
            (maps * image).sum((1, *range(2, maps.dim()))), chosen[-1].flatten(1).sum(1)
        )
