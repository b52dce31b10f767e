"""Maps cut into blocks and transformed: orthonormal, and undone to rounding at every size."""

import math

import pytest
import torch
from torch import Tensor

from xconv.spectrum.blocks import (
    blocks_of,
    by_frequency,
    cosines,
    inverse_transform,
    places,
    transform,
)

LARGEST = 40
LIMITS = {1: (32, 64), 2: (8, 16), 3: (4, 8)}
CPU = torch.device("cpu")


def maps(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(shape, dtype=torch.float64, generator=generator)


def every_size(dimensions: int) -> list[tuple[int, ...]]:
    """Each length along each side, the others of lengths that differ from it."""
    if dimensions == 1:
        return [(length,) for length in (*range(1, LARGEST + 1), 63, 64, 65, 129)]
    if dimensions == 2:
        return [(a, b) for a in range(1, LARGEST + 1) for b in range(1, LARGEST + 1)]
    lengths = range(1, LARGEST + 1)
    return [size for a in lengths for size in ((a, 3, 9), (5, a, 2), (1, 7, a))]


@pytest.mark.parametrize("side", range(1, 65))
def test_the_transform_is_orthonormal(side: int) -> None:
    rows = cosines(side, torch.float64, CPU)
    torch.testing.assert_close(rows @ rows.t(), torch.eye(side, dtype=torch.float64))
    torch.testing.assert_close(rows[0], torch.full((side,), side**-0.5, dtype=torch.float64))
    assert ((rows[:, :-1] * rows[:, 1:] < 0).sum(1) == torch.arange(side)).all()  # by frequency


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_the_way_back_at_every_size(dimensions: int) -> None:
    for pixels in every_size(dimensions):
        blocks = blocks_of(pixels)
        images = maps(2, *pixels)
        coefficients = transform(images, blocks)
        pairs = [n for pair in zip(blocks.counts, blocks.sides, strict=True) for n in pair]
        assert coefficients.shape == (2, *pairs)
        back = inverse_transform(coefficients, blocks)
        torch.testing.assert_close(back, images, rtol=1e-12, atol=1e-12, msg=str(pixels))


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_energies_are_kept_where_blocks_end_with_the_map(dimensions: int) -> None:
    sizes = [p for p in every_size(dimensions) if blocks_of(p).covered == p]
    assert len(sizes) > 10
    for pixels in sizes:
        images = maps(2, *pixels)
        energy = transform(images, blocks_of(pixels)).square().sum()
        torch.testing.assert_close(energy, images.square().sum(), msg=str(pixels))


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_blocks_cover_the_map_with_few_pixels_beyond(dimensions: int) -> None:
    low, high = LIMITS[dimensions]
    for pixels in every_size(dimensions):
        blocks = blocks_of(pixels)
        for length, side, count in zip(pixels, blocks.sides, blocks.counts, strict=True):
            assert side == length if length <= low else low <= side <= high
            assert side * (count - 1) < length <= side * count
            others = range(min(low, length), min(high, length) + 1)
            assert all(math.ceil(length / n) * n >= side * count for n in others)


BY_HAND = {(56, 56): (14, 14), (7, 12): (7, 12), (64, 40): (16, 10), (17, 31): (9, 16)}


@pytest.mark.parametrize("pixels", BY_HAND, ids=str)
def test_sides_that_were_worked_out_by_hand(pixels: tuple[int, int]) -> None:
    assert blocks_of(pixels).sides == BY_HAND[pixels]


def test_beyond_the_edge_the_last_pixel_is_repeated() -> None:
    """So that a constant map is constant in each block: nothing but its mean."""
    blocks = blocks_of((17, 33))
    coefficients = by_frequency(transform(torch.ones(1, 17, 33), blocks), blocks)
    torch.testing.assert_close(
        coefficients[0, 0], torch.full((1, *blocks.counts), blocks.size**0.5)
    )
    assert float(coefficients.flatten(2).square().mean(2).view(-1)[1:].max()) < 1e-10


def test_a_cosine_is_one_coefficient() -> None:
    """Of the block that it fills, at the place that ``places`` says."""
    blocks = blocks_of((3, 32, 20))
    frequency = 2 * blocks.sides[1] * blocks.sides[2] + 5 * blocks.sides[2] + 3
    where = places(torch.tensor([frequency]), blocks)
    assert [int(i) for i in where] == [2, 5, 3]
    rows = [cosines(side, torch.float64, CPU) for side in blocks.sides]
    image = torch.einsum("a,b,c->abc", rows[0][2], rows[1][5], rows[2][3])
    padded = torch.zeros(1, 3, 32, 20, dtype=torch.float64)
    padded[0, :, 8:16, :5] = image  # second block from the top, first from the left
    assert blocks.sides == (3, 8, 5)
    expected = torch.zeros(3, 8, 5, 1, 1, 4, 4, dtype=torch.float64)
    expected[2, 5, 3, 0, 0, 1, 0] = 1
    actual = by_frequency(transform(padded, blocks), blocks)
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-12)


def test_all_places() -> None:
    blocks = blocks_of((5, 6, 4))
    flat = torch.arange(blocks.size)
    where = places(flat, blocks)
    assert torch.equal(flat.view(blocks.sides)[where], flat)
