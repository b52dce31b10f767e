"""Groups rounded to few bits have the right mean, whatever is in them, and the variance stated."""

from functools import cache

import pytest
import torch
from statistics_checker import check_mean
from torch import Tensor
from turned_groups import given_back

from xconv.spectrum.rounding import (
    GROUP,
    SCALE_BITS,
    VARIANCES,
    decode_scales,
    encode,
    encode_scales,
    rotation,
)

SEEDS = 1000
every_bits = pytest.mark.parametrize("bits", VARIANCES)


def one_hot() -> Tensor:
    return torch.eye(GROUP)[5] * 3


def heavy_tailed() -> Tensor:
    return torch.randn(GROUP, generator=torch.Generator().manual_seed(1)).pow(5)


GROUPS = {
    "normal": torch.randn(GROUP, generator=torch.Generator().manual_seed(0)),
    "one hot": one_hot(),
    "two": one_hot() - one_hot().roll(9),
    "constant": torch.ones(GROUP),
    "ramp": torch.linspace(0, 1, GROUP),
    "behind a ReLU": torch.randn(GROUP, generator=torch.Generator().manual_seed(2)).relu(),
    "heavy-tailed": heavy_tailed(),
}
every_group = pytest.mark.parametrize("name", GROUPS)


@cache
def turn_of(seed: int) -> Tensor:
    """The rotation of a seed, found once for all tests."""
    return rotation(torch.tensor(seed))


def rounded(values: Tensor, bits: int, seed: int) -> Tensor:
    """Return ``values`` (m, GROUP) as they are given back."""
    number, turn = torch.tensor(seed), turn_of(seed)
    packed, scales = encode(values, bits, turn)
    return given_back(packed, rounded_scales(scales, number, SCALE_BITS[bits]), bits, turn)


def rounded_scales(scales: Tensor, seed: Tensor, bits: int = 8) -> Tensor:
    largest = scales.max()
    return decode_scales(encode_scales(scales, largest, seed, bits), largest, bits)


@cache
def all_samples(bits: int) -> Tensor:
    """(SEEDS, groups, GROUP): groups of norm 1 beside another one that is larger, ten times or
    more, so that the scale lies between two levels, evenly over all seeds."""
    groups = torch.stack([group / group.norm() for group in GROUPS.values()])
    other = torch.full((1, GROUP), 10.0)
    return torch.stack(
        [
            rounded(torch.cat([groups, other * 2 ** (seed / SEEDS)]), bits, seed)[:-1]
            for seed in range(SEEDS)
        ]
    )


def samples(name: str, bits: int) -> tuple[Tensor, Tensor]:
    """A group of norm 1, and what is given back for it: (SEEDS, GROUP)."""
    group = GROUPS[name].double()
    return group / group.norm(), all_samples(bits)[:, list(GROUPS).index(name)].double()


@every_bits
@every_group
def test_the_mean_over_seeds_is_the_group(name: str, bits: int) -> None:
    group, drawn = samples(name, bits)
    check_mean(drawn, group)
    with pytest.raises(AssertionError, match="standard errors"):
        check_mean(0.99 * drawn, group)


@every_bits
@every_group
def test_the_variance_is_near_the_one_stated(name: str, bits: int) -> None:
    """Whatever is in the group: turned, all look alike. 1000 seeds tell the mean to 3 %, at 8 bits,
    where the few numbers beyond the last level count, to 10 %."""
    group, drawn = samples(name, bits)
    errors = (drawn - group).square().sum(1)
    assert errors.mean().item() == pytest.approx(VARIANCES[bits], rel=0.12 if bits == 8 else 0.05)


def test_scales_of_all_bits_are_alike() -> None:
    """They share one range, of 16 powers of two: levels of 16 bits are 32768 times closer."""
    turn = rotation(torch.tensor(0))
    scales = torch.stack([encode(GROUPS["normal"][None], bits, turn)[1] for bits in VARIANCES])
    assert scales.max() < 8 * scales.min()


def test_more_bits_have_less_variance() -> None:
    assert list(VARIANCES.values()) == sorted(VARIANCES.values(), reverse=True)


@every_bits
def test_zeros_stay_zeros(bits: int) -> None:
    values = torch.stack([torch.zeros(GROUP), GROUPS["normal"], torch.zeros(GROUP)])
    back = rounded(values, bits, 3)
    assert back[0].abs().max() == back[2].abs().max() == 0 < back[1].abs().min()
    assert rounded(torch.zeros(2, GROUP), bits, 3).equal(torch.zeros(2, GROUP))


@every_bits
@pytest.mark.parametrize("power", [-55, -20, 20, 55])
def test_huge_and_tiny_numbers_are_rounded_as_others(power: int, bits: int) -> None:
    values = torch.stack([GROUPS["normal"], 8 * GROUPS["ramp"]])
    torch.testing.assert_close(
        rounded(values * 2.0**power, bits, 5), rounded(values, bits, 5) * 2.0**power
    )


@every_bits
@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_shows(wrong: float, bits: int) -> None:
    values = torch.stack([GROUPS["normal"], GROUPS["ramp"]])
    values[0, 7] = wrong
    assert not rounded(values, bits, 1)[0].isfinite().any()


@pytest.mark.parametrize("bits", [8, 16])
def test_scales_have_the_right_mean(bits: int) -> None:
    """From the largest down to a millionth, below the smallest level too."""
    generator = torch.Generator().manual_seed(0)
    scales = torch.cat([torch.exp2(-20 * torch.rand(30, generator=generator)), torch.tensor([1.0])])
    drawn = torch.stack(
        [rounded_scales(scales, torch.tensor(seed), bits) for seed in range(4000)]
    ).double()
    check_mean(drawn[:, :-1], scales[:-1].double())
    assert drawn[:, -1].eq(1).all()


@pytest.mark.parametrize("bits", [8, 16])
def test_scales_take_their_bits_and_zeros_and_the_largest_are_exact(bits: int) -> None:
    scales = torch.tensor([0.0, 3.0, 0.0, 1e-30])
    for seed in range(50):
        codes = encode_scales(scales, scales.max(), torch.tensor(seed), bits)
        assert codes.dtype == torch.uint8 and codes.numel() == 4 * bits // 8
        back = decode_scales(codes, scales.max(), bits)
        assert back[[0, 2]].tolist() == [0, 0] and back[1] == 3
    assert rounded_scales(torch.zeros(3), torch.tensor(0), bits).tolist() == [0, 0, 0]


@pytest.mark.parametrize(("bits", "part"), [(8, 0.045), (16, 0.00017)])
def test_neighbouring_levels_are_close(bits: int, part: float) -> None:
    scales = torch.linspace(0.01, 1, 500)
    back = rounded_scales(scales, torch.tensor(1), bits)
    assert ((back - scales).abs() <= part * scales).all()


def test_rotations_are_orthogonal_and_follow_from_the_seed() -> None:
    turn = rotation(torch.tensor(9))
    torch.testing.assert_close(turn @ turn.t(), torch.eye(GROUP))
    assert rotation(torch.tensor(9)).equal(turn) and not rotation(torch.tensor(10)).equal(turn)


def test_rotations_are_uniform() -> None:
    """Means and second moments of entries of two rows are those of uniform rotations."""
    drawn = torch.stack([rotation(torch.tensor(seed))[[0, -1]].flatten() for seed in range(SEEDS)])
    check_mean(drawn, 0.0)
    check_mean(drawn.square(), 1 / GROUP)
    check_mean(drawn[:, :GROUP] * drawn[:, :1], torch.eye(GROUP)[0] / GROUP)
