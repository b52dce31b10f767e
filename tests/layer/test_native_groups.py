"""Groups rounded by the kernels in C are those of torch's operators."""

import pytest
import torch
from native_cases import assert_same, needs_compiler
from torch import Tensor

from xconv.grouped import BITS, GROUP, decode, encode

pytestmark = needs_compiler

NUMBERS = {
    "normal": lambda values: values,
    "with zeros": torch.relu,
    "equal": torch.zeros_like,
    "on levels": lambda values: (values * 3).round_().div_(7),
    "tiny": lambda values: values * 1e-42,
    "huge": lambda values: values * 1e38,
    "a NaN": lambda values: values.index_fill(1, torch.tensor([3]), float("nan")),
    "an infinity": lambda values: values.index_fill(1, torch.tensor([200]), -float("inf")),
}


def values(groups: int, kind: str = "normal") -> Tensor:
    generator = torch.Generator().manual_seed(groups)
    found: Tensor = NUMBERS[kind](torch.randn(groups, GROUP, generator=generator))
    return found


@pytest.mark.parametrize("dithered", [None, True, False], ids=["best", "dithered", "rounded"])
@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("kind", NUMBERS)
def test_numbers_of_all_kinds(kind: str, bits: int, dithered: bool | None) -> None:
    def both() -> tuple[Tensor, ...]:
        seed = torch.tensor(2**40 + 3)
        packed, bounds = encode(values(9, kind), bits, seed, 4, dithered)
        return packed, bounds, decode(packed, bounds, bits, seed, 4, scale=0.5)

    assert_same(both)


@pytest.mark.parametrize("groups", [0, 1, 2, 500])
def test_any_number_of_groups(groups: int) -> None:
    for stream in (0, 1):
        seed = torch.tensor(groups)
        kept = encode(values(groups, "with zeros"), 2, seed, stream)
        assert_same(decode, *kept, 2, seed, stream)
