"""Random numbers of the kernels in C are those of torch's generator, bit for bit."""

import pytest
import torch
from native_cases import assert_same, needs_compiler

from xconv.narrowing import narrowed
from xconv.random import Draw, chances, rademacher, random_words, uniform

CPU = torch.device("cpu")
COUNTS = (0, 1, 7, 63, 65, 256, 312, 313, 625, 5000, 2**19 + 77)
"""Counts about 624 words, which a twister renews at once, and pieces of signs."""


@needs_compiler
@pytest.mark.parametrize(
    ("draw", "dtype"),
    [
        *((random_words, dtype) for dtype in (torch.int32, torch.int64, torch.uint8)),
        *((chances, dtype) for dtype in (torch.float32, torch.float64)),
        *((uniform, dtype) for dtype in (torch.float32, torch.float64, torch.bfloat16)),
        *((rademacher, dtype) for dtype in (torch.float32, torch.float64, torch.bfloat16)),
    ],
    ids=lambda each: getattr(each, "__name__", str(each)),
)
def test_random_numbers_are_torchs(draw: Draw, dtype: torch.dtype) -> None:
    for seed in (0, 7, 2**32 + 5, 2**62 - 1):
        for stream in (0, 3, -5):
            count = COUNTS[(seed + stream) % len(COUNTS)]
            assert_same(draw, torch.tensor(seed), stream, count, dtype, CPU)
    for count in COUNTS:
        assert_same(draw, torch.tensor(11), 1, count, dtype, CPU)


@needs_compiler
def test_numbers_are_rounded_as_by_operators() -> None:
    values = torch.randn(5000, generator=torch.Generator().manual_seed(0))
    values[:4] = torch.tensor([float("inf"), -float("inf"), float("nan"), -0.0])
    for count in (0, 1, 313, 5000):
        for seed in (7, 2**62 - 1):
            assert_same(narrowed, values[:count], torch.tensor(seed))
    assert_same(narrowed, values.view(4, 5, 250), torch.tensor(3))
