"""Kernels of ``BitReLU`` do what torch's operators do, bit by bit."""

import pytest
import torch
from kernel_cases import DEVICES, device_of, kernels_everywhere
from torch import nn

from xconv.bits import pack
from xconv.saved.relu import BitReLU, mask_gradient, pack_passing

DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
every_device = pytest.mark.parametrize("name", DEVICES)
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)


def numbers(count: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    values = torch.randn(count, generator=torch.Generator().manual_seed(count)).to(dtype)
    values[::7] = float("nan")
    values[1::7] = 0.0
    values[2::7] = -0.0
    return values.to(device)


@every_device
@every_dtype
@pytest.mark.parametrize("count", [1, 8, 63, 2048, 5001])
def test_bits_are_those_of_torch(name: str, dtype: torch.dtype, count: int) -> None:
    device = device_of(name)
    from xconv.kernels import masks

    values, gradient = numbers(count, dtype, device), numbers(count, dtype, device).roll(3)
    packed = torch.empty((count + 7) // 8, dtype=torch.uint8, device=device)
    masks.pack_passing(values, packed)
    assert torch.equal(packed, pack((values <= 0).logical_not_()))
    target = torch.empty_like(gradient)
    masks.mask_gradient(gradient, packed, target)
    expected = torch.where(values <= 0, torch.zeros_like(gradient), gradient)
    assert torch.equal(target.view(torch.uint8), expected.view(torch.uint8))


@every_device
@pytest.mark.parametrize("last", [False, True], ids=["contiguous", "channels last"])
def test_a_relu_uses_them(name: str, last: bool) -> None:
    device = device_of(name)
    order = torch.channels_last if last else torch.contiguous_format
    x = torch.randn(2, 3, 5, 7, device=device).contiguous(memory_format=order).requires_grad_()
    deltas = torch.randn(2, 3, 5, 7, device=device)
    (expected,) = torch.autograd.grad(nn.ReLU()(x), x, deltas)
    with kernels_everywhere():
        (found,) = torch.autograd.grad(BitReLU()(x), x, deltas)
        packed = pack_passing(x.relu(), last)
        (linear,) = torch.autograd.grad(BitReLU()(x), x, deltas, create_graph=True)
    assert torch.equal(found, expected) and torch.equal(linear, expected)
    assert torch.equal(mask_gradient(deltas, packed, last), expected)
