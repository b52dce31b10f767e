"""Bits of ReLU by the kernels in C are those of torch's operators."""

import pytest
import torch
from native_cases import assert_same, needs_compiler, threads
from torch import Tensor

from xconv.bits import packed_size
from xconv.saved.relu import _mask_gradient, bit_relu, pack_directly

COUNTS = (0, 1, 7, 8, 9, 255, 256, 257, 2**19 + 13)
DTYPES = (torch.float32, torch.float64, torch.bfloat16)

pytestmark = needs_compiler


def numbers(count: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Numbers with zeros of both signs, infinities and NaN among them."""
    generator = torch.Generator().manual_seed(count)
    found = torch.randn(count, generator=generator)
    for place, value in enumerate((0.0, -0.0, float("inf"), -float("inf"), float("nan"))):
        found[place::37] = value
    return found.to(dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("count", COUNTS)
def test_bits_are_packed_and_mask(count: int, dtype: torch.dtype) -> None:
    output, generator = numbers(count, dtype), torch.Generator().manual_seed(1)
    packed = torch.randint(256, (packed_size(count),), dtype=torch.uint8, generator=generator)
    assert_same(pack_directly, output, False)
    assert_same(_mask_gradient, output, packed, False)


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("channels_last", [False, True])
def test_a_step_is_the_same(inplace: bool, channels_last: bool) -> None:
    form = torch.channels_last if channels_last else torch.contiguous_format
    images = numbers(2 * 3 * 5 * 7).view(2, 3, 5, 7).contiguous(memory_format=form)

    def step() -> tuple[Tensor, ...]:
        leaf = images.clone().requires_grad_()
        output = bit_relu(leaf * 1, inplace)
        output.sum().backward()
        assert leaf.grad is not None
        return output.detach(), leaf.grad

    assert_same(step)


def test_parts_of_a_tensor_and_negated_views_are_packed_rightly() -> None:
    """Their memory holds other numbers, or in another order."""
    assert_same(pack_directly, numbers(64).view(8, 8)[:, ::2], False)
    assert_same(_mask_gradient, numbers(64)[::2], torch.full((4,), 77, dtype=torch.uint8), False)
    assert_same(pack_directly, torch.complex(torch.ones(1), torch.ones(1)).conj().imag, False)


def test_three_threads_share_a_large_tensor() -> None:
    leaf = numbers(2**20 + 5)

    def step() -> tuple[Tensor, ...]:
        output, packed = leaf.clone().requires_grad_(), pack_directly(leaf, False)
        bit_relu(output * 1, True).sum().backward()
        assert output.grad is not None
        return packed, output.grad, _mask_gradient(leaf, packed, False)

    with threads(3):
        assert_same(step)


def test_writing_in_place_is_noticed() -> None:
    """Autograd refuses to use what was overwritten after it was kept."""
    leaf = numbers(100).requires_grad_()
    kept = leaf * 1
    squared = kept.square()
    bit_relu(kept, True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        squared.sum().backward()
