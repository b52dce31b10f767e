"""Rounded groups have the mean that they should, and the variance that plans reckon with."""

from functools import cache

import pytest
import torch
from statistics_checker import check_mean
from torch import Tensor

from xconv.spectrum.rounding import (
    GROUP,
    VARIANCES,
    decode,
    decode_scales,
    encode,
    encode_scales,
    rotation,
)

SEEDS = 900
every_width = pytest.mark.parametrize("bits", VARIANCES, ids=lambda n: f"{n} bits")


def groups() -> dict[str, Tensor]:
    """One group of each kind that a rotation, or a poor one, might treat differently."""
    normal = torch.randn(GROUP, generator=torch.Generator().manual_seed(1))
    one_hot, two_hot = torch.zeros(GROUP), torch.zeros(GROUP)
    one_hot[5], two_hot[3], two_hot[40] = 2.0, 1.0, -1.0
    return {
        "normal": normal,
        "one-hot": one_hot,
        "two-hot": two_hot,
        "constant": torch.full((GROUP,), -0.7),
        "steep": torch.logspace(0, -4, GROUP),
        "half zeros": torch.cat([normal[: GROUP // 2], torch.zeros(GROUP // 2)]),
        "small": normal / 300,
    }


@cache
def rotations() -> list[tuple[Tensor, Tensor]]:
    seeds = [torch.tensor(1000 + n) for n in range(SEEDS)]
    return [(seed, rotation(seed)) for seed in seeds]


def there_and_back(values: Tensor, bits: int, seed: Tensor, turn: Tensor) -> Tensor:
    codes, scales = encode(values, bits, turn)
    return decode(codes, decode_scales(*encode_scales(scales, seed)), bits, turn)


@cache
def samples(bits: int) -> Tensor:
    """(seeds, groups, GROUP) of all groups at once."""
    values = torch.stack(list(groups().values()))
    return torch.stack([there_and_back(values, bits, *pair) for pair in rotations()])


@every_width
@pytest.mark.parametrize("name", groups())
def test_the_mean_over_rotations_is_the_group(name: str, bits: int) -> None:
    place = list(groups()).index(name)
    check_mean(samples(bits)[:, place], groups()[name])


@every_width
def test_a_wrong_scale_would_be_caught(bits: int) -> None:
    wrong = 1.05 * samples(bits)[:, 0]
    with pytest.raises(AssertionError, match="standard errors"):
        check_mean(wrong, groups()["normal"])


def many(name: str) -> Tensor:
    """60 groups of different sizes, so that scales lie anywhere between two levels."""
    sizes = torch.logspace(-2, 0, 60, base=2)[:, None]
    if name == "normal":
        return torch.randn(60, GROUP, generator=torch.Generator().manual_seed(2)) * sizes
    return groups()[name] * sizes


@every_width
@pytest.mark.parametrize("name", ["normal", "one-hot", "constant"])
def test_the_variance_is_the_one_of_the_table(name: str, bits: int) -> None:
    """Whatever the group: a rotation leaves nothing of it but its energy. At 8 bits four fifths
    are the scale's, and depend on where it lies between two levels."""
    values = many(name)
    errors = torch.stack([there_and_back(values, bits, *pair) - values for pair in rotations()])
    measured = float((errors.square().sum(2) / values.square().sum(1)).mean())
    assert measured == pytest.approx(VARIANCES[bits], rel=0.04 if bits < 8 else 0.12)


@every_width
def test_along_the_group_nothing_is_lost_before_scales_are_rounded(bits: int) -> None:
    values = torch.stack(list(groups().values()))
    for _, turn in rotations()[:20]:
        back = decode(*encode(values, bits, turn), bits, turn)
        torch.testing.assert_close((values * back).sum(1), values.square().sum(1))


def test_rotations_are_orthonormal_and_follow_from_the_seed() -> None:
    (seed, turn), (_, other) = rotations()[:2]
    torch.testing.assert_close(turn @ turn.t(), torch.eye(GROUP), rtol=0, atol=1e-5)
    assert torch.equal(rotation(seed.clone()), turn)
    assert not torch.equal(turn, other)


def test_rotations_are_uniform() -> None:
    """Every entry has mean 0 and mean square 1/GROUP; signs of the diagonal are as all others."""
    turns = torch.stack([turn for _, turn in rotations()]).double()[:, :8, :8]
    check_mean(turns, torch.zeros(8, 8))
    check_mean(turns.square() * GROUP, torch.ones(8, 8))


@every_width
def test_zeros_stay_zeros(bits: int) -> None:
    seed, turn = rotations()[0]
    values = torch.stack([torch.zeros(GROUP), torch.ones(GROUP), torch.zeros(GROUP)])
    back = there_and_back(values, bits, seed, turn)
    assert not back[[0, 2]].any() and back[1].any()
    assert not there_and_back(torch.zeros(3, GROUP), bits, seed, turn).any()


@every_width
@pytest.mark.parametrize("size", [1e-30, 1e-20, 1e20, 1e30], ids=str)
def test_the_size_of_numbers_does_not_count(size: float, bits: int) -> None:
    """Squares of these are beyond float32."""
    seed, turn = rotations()[0]
    values = torch.stack(list(groups().values()))
    expected = there_and_back(values, bits, seed, turn).double() * size
    actual = there_and_back(values * size, bits, seed, turn).double()
    torch.testing.assert_close(actual / size, expected / size, rtol=1e-4, atol=1e-4)


@every_width
@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_what_is_not_finite_is_not_hidden(value: float, bits: int) -> None:
    seed, turn = rotations()[0]
    values = torch.ones(2, GROUP)
    values[1, 7] = value
    assert not there_and_back(values, bits, seed, turn)[1].isfinite().any()


def test_rounded_scales_have_the_mean_of_scales() -> None:
    """The smallest lie below all levels but zero, the largest is one."""
    scales = torch.tensor([1.0, 0.97, 0.5, 0.123, 1e-3, 2.0**-15.9, 2.0**-17, 0.0])
    rounded = [decode_scales(*encode_scales(scales, seed)) for seed, _ in rotations()]
    for factor in (3.0, 1e-3):
        again = [decode_scales(*encode_scales(factor * scales, s)) for s, _ in rotations()[:50]]
        torch.testing.assert_close(torch.stack(again), factor * torch.stack(rounded[:50]))
    check_mean(torch.stack(rounded).double(), scales.double())


def test_scales_move_by_one_level_at_most() -> None:
    scales = torch.logspace(0, -4, 200)
    rounded = decode_scales(*encode_scales(scales, torch.tensor(5)))
    assert float((rounded / scales).log2().abs().max()) <= 1 / 16 + 1e-5
    assert len(torch.unique(encode_scales(scales, torch.tensor(5))[0])) > 100
