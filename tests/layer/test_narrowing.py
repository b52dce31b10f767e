"""float32 in 16 bits, rounded up or down at random: right on average."""

import pytest
import torch
from statistics_checker import check_mean
from torch import Tensor

from xconv.narrowing import narrowed

VALUES = torch.tensor(
    [1.0, 1.0001, -1.003, 3.14159, 1e-3, -2.7e5, 65504.5, 1e-30, 1e-40, 3e38, 0.0]
)


def roundings(values: Tensor, seeds: int = 1000) -> Tensor:
    return torch.stack([narrowed(values, torch.tensor(seed)) for seed in range(seeds)])


def test_the_mean_is_the_number() -> None:
    drawn = roundings(VALUES)
    assert drawn.dtype == torch.bfloat16
    relative = drawn.double() / VALUES.double().where(VALUES != 0, 1)
    check_mean(relative, (VALUES != 0).double())


def test_rounding_to_nearest_would_be_caught() -> None:
    nearest = VALUES.bfloat16().double() / VALUES.double().where(VALUES != 0, 1)
    assert (nearest - (VALUES != 0).double()).abs().max() > 1e-3
    drawn = roundings(VALUES).double() / VALUES.double().where(VALUES != 0, 1)
    with pytest.raises(AssertionError, match="standard errors"):
        check_mean(drawn, nearest)


def test_only_the_two_neighbours_are_drawn() -> None:
    """A step of bfloat16 apart, both of them where the number lies between."""
    drawn = roundings(VALUES)
    for value, column in zip(VALUES, drawn.t(), strict=True):
        found = column.unique()
        if value == value.bfloat16():
            assert found.tolist() == [value]
        else:
            low, high = found.view(torch.int16).long().abs().sort().values
            assert len(found) == 2 and high - low == 1
            assert found.min() < value < found.max()


def test_what_is_no_number_stays_so() -> None:
    special = torch.tensor([torch.inf, -torch.inf, torch.nan, -torch.nan])
    drawn = narrowed(special, torch.tensor(3))
    assert drawn[:2].tolist() == [torch.inf, -torch.inf]
    assert drawn[2:].isnan().all()


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3, 5), (257, 65)])
def test_any_shape(shape: tuple[int, ...]) -> None:
    values = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    drawn = narrowed(values, torch.tensor(3))
    assert drawn.shape == values.shape
    torch.testing.assert_close(drawn.float(), values, rtol=2**-7, atol=0)
    assert torch.equal(drawn, narrowed(values, torch.tensor(3)))
