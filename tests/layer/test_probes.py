"""The probes themselves: signs and normal numbers, white, the same again for the same seed."""

import itertools
from typing import Any
from unittest import mock

import pytest
import torch
from complete_probes import WAYS, drawn_probes, sets
from geometries import DRAWN
from hypothesis import given, settings
from hypothesis import strategies as st
from statistics_checker import check_mean
from torch import Tensor

import xconv
from xconv import XConv2d, compiled
from xconv import probing as probing_module
from xconv.geometry import Geometry
from xconv.layout import Layout
from xconv.probing import Probing
from xconv.random import DISTRIBUTIONS, chances, draw_seed, gaussian, rademacher, random_words

CPU = torch.device("cpu")
FLOATS = [torch.float64, torch.float32, torch.float16, torch.bfloat16]
every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
every_distribution = pytest.mark.parametrize("distribution", DISTRIBUTIONS)
every_float = pytest.mark.parametrize("dtype", FLOATS, ids=str)


def layout_of(*shape: int, channels_last: bool = False, dtype: torch.dtype = FLOATS[0]) -> Layout:
    return Layout(torch.Size(shape), dtype, CPU, channels_last)


def all_probes(
    way: dict[str, Any],
    layout: Layout,
    probes: int,
    distribution: str,
    seed: int = 0,
    size: int = 0,
) -> Tensor:
    """(sets · r, *probe_shape)"""
    probing = Probing(probes, distribution=distribution, **way)
    return drawn_probes(probing, layout, seed, size or probes).flatten(0, 1)


@every_float
@pytest.mark.parametrize("count", [0, 1, 7, 8, 63, 64, 65, 1000, 2**19 + 3])
def test_signs_are_exactly_plus_and_minus_one(count: int, dtype: torch.dtype) -> None:
    signs = rademacher(torch.tensor(3), 0, count, dtype, CPU)
    assert (signs.shape, signs.dtype) == ((count,), dtype)
    assert signs.abs().eq(1).all()
    if count >= 63:
        assert set(signs.tolist()) == {-1, 1}


@every_float
def test_signs_are_the_same_in_every_dtype(dtype: torch.dtype) -> None:
    signs = rademacher(torch.tensor(3), 5, 100, dtype, CPU)
    assert torch.equal(signs.double(), rademacher(torch.tensor(3), 5, 100, FLOATS[0], CPU))


@every_float
@every_distribution
def test_numbers_have_mean_zero_and_variance_one(distribution: str, dtype: torch.dtype) -> None:
    """Neighbours uncorrelated too, at the distances of bytes, words and rows."""
    numbers = DISTRIBUTIONS[distribution](torch.tensor(1), 0, 2**17, dtype, CPU).double()
    check_mean(numbers[:, None], 0.0)
    check_mean(numbers.square()[:, None], 1.0)
    for distance in (1, 2, 8, 64):
        products = numbers.view(-1, 2 * distance)[:, [0, distance]].prod(1)
        check_mean(products[:, None], 0.0)


def test_gaussian_numbers_have_the_fourth_moment_of_normal_ones() -> None:
    numbers = gaussian(torch.tensor(1), 0, 2**17, FLOATS[0], CPU)
    check_mean(numbers.pow(4)[:, None], 3.0)


@every_way
@every_distribution
@pytest.mark.parametrize("probes", [3, 20, 48], ids=lambda n: f"{n} probes")
@pytest.mark.parametrize("channels_last", [False, True], ids=["contiguous", "channels last"])
def test_probes_are_white(
    channels_last: bool, probes: int, distribution: str, way: dict[str, Any]
) -> None:
    """E[Z Zᵀ] = r·I, every entry of the matrix, of all images that have probes of their own."""
    layout = layout_of(2, 3, 2, 2, channels_last=channels_last)
    products = []
    for seed in range(1000):
        probing = Probing(probes, distribution=distribution, **way)
        z = drawn_probes(probing, layout, seed).flatten(2)
        products.append(z.transpose(1, 2) @ z)
    expected = probes * torch.eye(products[0].shape[-1]).double()
    check_mean(torch.stack(products), expected.expand_as(products[0]))


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_images_have_unrelated_probes(distribution: str) -> None:
    """E[Z_b Z_cᵀ] = 0, and of the products of pairs of entries: their errors average out."""
    layout, probing = layout_of(2, 3, 2, 2), Probing(2, distribution=distribution)
    pairs = [drawn_probes(probing, layout, seed).flatten(2) for seed in range(1000)]
    check_mean(torch.stack([z[0].t() @ z[1] for z in pairs]), 0.0)
    diagonal = torch.eye(4, dtype=torch.bool)
    squares = [(z.transpose(1, 2) @ z).masked_fill(diagonal, 0).flatten(1) for z in pairs]
    check_mean(torch.stack([s[0, :, None] * s[1] for s in squares]), 0.0)


@every_way
@every_distribution
@settings(DRAWN, max_examples=30)
@given(
    seed=st.integers(0, 2**62 - 1),
    probes=st.integers(1, 30),
    size=st.integers(1, 31),
    channels_last=st.booleans(),
)
def test_a_seed_gives_the_same_probes_at_any_time(
    way: dict[str, Any],
    distribution: str,
    seed: int,
    probes: int,
    size: int,
    channels_last: bool,
) -> None:
    """Some at a time, all columns of all images once; whatever else was drawn in between."""
    layout = layout_of(4, 2, 3, 5, channels_last=channels_last)
    with (
        mock.patch("xconv.schemes.independent.SMALL_CHUNK", 0),
        mock.patch("xconv.schemes.independent.CACHED", 50 * size),
    ):
        first = all_probes(way, layout, probes, distribution, seed, size)
        torch.rand(7)
        again = all_probes(way, layout, probes, distribution, seed, size)
    assert torch.equal(first, again)  # not where a number was left out, which is nan
    assert len(first) == probes * sets(Probing(probes, **way), layout)
    assert first.dtype == layout.dtype


@every_way
@every_distribution
def test_no_two_chunks_or_seeds_share_probes(way: dict[str, Any], distribution: str) -> None:
    """Neighbouring seeds, columns and images: 40 × 8 probes, one by one, all of them different."""
    layout = layout_of(2, 4, 8, 8)
    with mock.patch("xconv.schemes.independent._room", return_value=1):
        drawn = torch.cat(
            [all_probes(way, layout, 8, distribution, seed, size=1) for seed in range(40)]
        ).flatten(1)
    cosines = torch.nn.functional.normalize(drawn) @ torch.nn.functional.normalize(drawn).t()
    assert cosines.fill_diagonal_(0).abs().max() < 0.99


def test_neighbouring_seeds_and_streams_give_unrelated_words() -> None:
    """Seeds that differ in their lower 32 bits, of which alone torch's CPU generator makes use."""
    seeds = [0, 1, 2, 3, 2**31, 2**32 - 1, 2**40 + 7, 2**62 - 5]
    first = [
        random_words(torch.tensor(seed), stream, 1, torch.int64, CPU).item()
        for seed in seeds
        for stream in range(-1, 500)
    ]
    assert len(set(first)) == len(first)


def test_streams_of_a_seed_are_uncorrelated() -> None:
    streams = [gaussian(torch.tensor(0), s, 2000, FLOATS[0], CPU) for s in range(-1, 8)]
    products = [a * b for a, b in itertools.combinations(streams, 2)]
    check_mean(torch.stack(products, 1), 0.0)


def test_chances_share_their_lowest_bits_and_nothing_else() -> None:
    """256 neighbours share 8 of their 24 bits; each is uniform, and no two are correlated."""
    drawn = torch.stack(
        [chances(torch.tensor(seed), 1, 1024, torch.float64, CPU) for seed in range(2000)]
    )
    whole = drawn.mul(2**24)
    assert torch.equal(whole, whole.floor()) and drawn.min() >= 0 and drawn.max() < 1
    shared = whole.remainder(2**8).unflatten(1, (-1, 256))
    assert torch.equal(shared, shared[:, :, :1].expand_as(shared))
    check_mean(shared[:, :, 0], (2**8 - 1) / 2)
    check_mean(drawn, 0.5 - 2.0**-25)
    check_mean(drawn.square(), 1 / 3)
    check_mean((drawn[:, :512] - 0.5) * (drawn[:, 512:] - 0.5), 0.0)
    check_mean((drawn[:, 0::2] - 0.5) * (drawn[:, 1::2] - 0.5), 0.0)
    quarters = drawn[:, :256].view(-1, 4, 64) - 0.5  # numbers of one word
    check_mean(quarters[:, 0] * quarters[:, 3], 0.0)


DEALT = [(1, 9), (3, 24), (3, 50), (4, 39), (8, 56), (16, 96), (16, 32), (5, 11)]
"""Channels and probes: two columns a channel and more."""
OVERLAPPING = [(8, 12), (16, 17), (64, 100), (16, 31), (64, 9)]
"""Fewer than that, and more than eight."""


def uses_of(channels: int, probes: int, distribution: str = "rademacher", seed: int = 0) -> Tensor:
    """(r, C), bool: which columns each channel uses."""
    z = all_probes(WAYS["orthogonal"], layout_of(1, channels, 5), probes, distribution, seed)
    return z.ne(0).any(2)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize(("channels", "probes"), DEALT)
def test_orthogonal_channels_have_columns_of_their_own(
    channels: int, probes: int, distribution: str
) -> None:
    """All columns are used, by one channel each, and no channel has two more than another."""
    uses = uses_of(channels, probes, distribution)
    assert uses.sum(1).eq(1).all()
    assert set(uses.sum(0).tolist()) <= {probes // channels, -(-probes // channels)}


@pytest.mark.parametrize(("channels", "probes"), OVERLAPPING)
@pytest.mark.parametrize("seed", [0, 1])
def test_below_that_each_uses_eight_and_columns_are_used_alike(
    seed: int, channels: int, probes: int
) -> None:
    uses = uses_of(channels, probes, seed=seed)
    assert uses.sum(0).tolist() == [8] * channels
    load = 8 * channels
    assert set(uses.sum(1).tolist()) <= {load // probes, -(-load // probes)}


@pytest.mark.parametrize(("channels", "probes"), [(3, 5), (3, 8), (1, 4), (64, 8)])
def test_up_to_eight_columns_are_used_by_all(channels: int, probes: int) -> None:
    assert uses_of(channels, probes).all()


@pytest.mark.parametrize(("channels", "probes"), [*DEALT[1:], *OVERLAPPING])
def test_columns_are_dealt_anew_for_each_seed_and_whole(channels: int, probes: int) -> None:
    """Chunked or not: which columns does not depend on how many are drawn at a time."""
    layout = layout_of(1, channels, 5)
    whole, chunked, other = (
        all_probes(WAYS["orthogonal"], layout, probes, "rademacher", seed, size).ne(0).any(2)
        for seed, size in ((0, probes), (0, 3), (1, probes))
    )
    assert torch.equal(whole, chunked)
    assert not torch.equal(whole, other)


@pytest.mark.parametrize(("channels", "probes"), [(8, 20), (3, 10), (16, 20)])
def test_columns_are_dealt_at_random(channels: int, probes: int) -> None:
    """Every channel uses every column equally often."""
    uses = torch.stack([uses_of(channels, probes, seed=seed) for seed in range(1000)]).double()
    check_mean(uses, uses[0].sum().item() / (channels * probes))


def test_the_seed_comes_from_torchs_generator() -> None:
    torch.manual_seed(5)
    first = draw_seed()
    assert (first.dtype, first.shape, first.device.type) == (torch.int64, (), "cpu")
    assert draw_seed() != first
    torch.manual_seed(5)
    assert draw_seed() == first


def test_only_independent_probes_can_be_shared() -> None:
    for scheme in ("multi", "orthogonal", "spectral"):
        with pytest.raises(ValueError, match="shared=True belongs to scheme 'independent'"):
            XConv2d(3, 4, 3, scheme=scheme, shared=True)
    assert not Probing(8).shared


def test_shared_probes_are_said_to_be() -> None:
    layer = XConv2d(3, 4, 3, probes=8, shared=True)
    assert "shared=True" in repr(layer) and "shared" not in repr(XConv2d(3, 4, 3, probes=8))
    network = xconv.convert(torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3)), probes=8, shared=True)
    network(torch.randn(2, 3, 9, 9, requires_grad=True))
    assert "independent, shared" in str(xconv.account(network))


@every_way
def test_the_operators_probe_as_the_functions_do(way: dict[str, Any]) -> None:
    x = torch.randn(3, 4, 7, 6, generator=torch.Generator().manual_seed(0))
    probing, layout, seed = Probing(5, **way), Layout.of(x), torch.tensor(7)
    weight, delta = torch.empty(2, 4, 3, 3), torch.ones(3, 2, 5, 4)
    geometry = Geometry((1, 1), (0, 0), (1, 1))
    results = []
    for module in (probing_module, compiled):
        kept = module.keep(x, seed, probing, layout, weight.shape, delta.shape)
        estimate = getattr(module, "estimate", None) or module.estimate_gradient
        results.append(
            [*kept, estimate(kept, delta, geometry, probing, layout, weight, weight.dtype)]
        )
    assert all(map(torch.equal, *results))
