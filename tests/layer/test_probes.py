"""The probes themselves: signs and normal numbers, white, the same again for the same seed."""

import itertools

import pytest
import torch
from geometries import DRAWN
from hypothesis import given, settings
from hypothesis import strategies as st
from statistics_checker import check_mean
from torch import Tensor

from xconv.layout import Layout
from xconv.random import DISTRIBUTIONS, draw_seed, gaussian, rademacher, random_words
from xconv.schemes import PROBED, Probes

CPU = torch.device("cpu")
FLOATS = [torch.float64, torch.float32, torch.float16, torch.bfloat16]
every_scheme = pytest.mark.parametrize("scheme", PROBED.values(), ids=PROBED)
every_distribution = pytest.mark.parametrize("distribution", DISTRIBUTIONS)
every_float = pytest.mark.parametrize("dtype", FLOATS, ids=str)


def layout_of(*shape: int, channels_last: bool = False, dtype: torch.dtype = FLOATS[0]) -> Layout:
    return Layout(torch.Size(shape), dtype, CPU, channels_last)


def all_probes(
    scheme: Probes, layout: Layout, probes: int, distribution: str, seed: int = 0, size: int = 0
) -> Tensor:
    """(r, *probe_shape)"""
    chunks = scheme.chunks(torch.tensor(seed), probes, size or probes, layout, distribution)
    return torch.cat([chunk for _, chunk in chunks])


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


@every_scheme
@every_distribution
@pytest.mark.parametrize("probes", [3, 20, 48], ids=lambda n: f"{n} probes")
@pytest.mark.parametrize("channels_last", [False, True], ids=["contiguous", "channels last"])
def test_probes_are_white(
    channels_last: bool, probes: int, distribution: str, scheme: Probes
) -> None:
    """E[Z Zᵀ] = r·I, every entry of the matrix."""
    layout = layout_of(2, 3, 2, 2, channels_last=channels_last)
    products = []
    for seed in range(1000):
        z = all_probes(scheme, layout, probes, distribution, seed).flatten(1)
        products.append(z.t() @ z)
    check_mean(torch.stack(products), probes * torch.eye(products[0].shape[0]).double())


@every_scheme
@every_distribution
@settings(DRAWN, max_examples=30)
@given(
    seed=st.integers(0, 2**62 - 1),
    probes=st.integers(1, 30),
    size=st.integers(1, 31),
    channels_last=st.booleans(),
)
def test_a_seed_gives_the_same_probes_at_any_time(
    scheme: Probes, distribution: str, seed: int, probes: int, size: int, channels_last: bool
) -> None:
    """Chunk by chunk, in order, all columns once; whatever else was drawn in between."""
    layout = layout_of(4, 2, 3, 5, channels_last=channels_last)
    arguments = torch.tensor(seed), probes, size, layout, distribution
    first = list(scheme.chunks(*arguments))
    torch.rand(7)
    again = list(scheme.chunks(*arguments))
    assert all(torch.equal(a, b) for (_, a), (_, b) in zip(first, again, strict=True))
    columns = [range(probes)[some] for some, _ in first]
    assert list(itertools.chain(*columns)) == list(range(probes))
    for some, chunk in first:
        assert chunk.shape == (some.stop - some.start, *scheme.probe_shape(layout))
        assert chunk.dtype == layout.dtype


@every_scheme
@every_distribution
def test_no_two_chunks_or_seeds_share_probes(scheme: Probes, distribution: str) -> None:
    """Neighbouring seeds and columns: 40 × 8 probes, one by one, all of them different."""
    layout = layout_of(2, 4, 8, 8)
    drawn = torch.cat(
        [all_probes(scheme, layout, 8, distribution, seed, size=1) for seed in range(40)]
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


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize(("channels", "probes"), [(1, 8), (3, 24), (3, 50), (4, 39)])
def test_orthogonal_channels_have_columns_of_their_own(
    channels: int, probes: int, distribution: str
) -> None:
    """From eight columns a channel on."""
    z = all_probes(PROBED["orthogonal"], layout_of(1, channels, 5), probes, distribution)
    uses = z.ne(0).any(2)
    assert uses.sum(1).max() == 1
    assert uses.sum(0).tolist() == [probes // channels] * channels


@pytest.mark.parametrize(("channels", "probes"), [(3, 5), (3, 8), (3, 23), (64, 100), (5, 39)])
@pytest.mark.parametrize("seed", [0, 1])
def test_below_that_each_channel_uses_eight_or_all(seed: int, channels: int, probes: int) -> None:
    """Chunked or not: which columns does not depend on how many are drawn at a time."""
    layout = layout_of(1, channels, 5)
    whole, chunked = (
        all_probes(PROBED["orthogonal"], layout, probes, "rademacher", seed, size).ne(0).any(2)
        for size in (probes, 3)
    )
    assert torch.equal(whole, chunked)
    assert whole.sum(0).tolist() == [min(8, probes)] * channels
    assert (whole != whole[:, :1]).any() == (probes > 8)


def test_the_seed_comes_from_torchs_generator() -> None:
    torch.manual_seed(5)
    first = draw_seed()
    assert (first.dtype, first.shape, first.device.type) == (torch.int64, (), "cpu")
    assert draw_seed() != first
    torch.manual_seed(5)
    assert draw_seed() == first
