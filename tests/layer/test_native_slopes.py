"""Activations and dropout by kernels in C have the outputs and gradients of torch's operators."""

from collections.abc import Callable
from unittest import mock

import pytest
import torch
from native_cases import assert_same, needs_compiler, threads
from torch import Tensor, nn

from xconv import bits as bits_module
from xconv import convert

pytestmark = needs_compiler

MODULES: dict[str, Callable[[], nn.Module]] = {
    "gelu": nn.GELU,
    "hardswish": nn.Hardswish,
    "elu": nn.ELU,
    "sigmoid": nn.Sigmoid,
    "leaky relu": lambda: nn.LeakyReLU(0.1),
    "relu6": lambda: nn.ReLU6(inplace=False),
    "hardsigmoid": nn.Hardsigmoid,
    "prelu": lambda: nn.PReLU(3),
    "relu in place": lambda: nn.ReLU(inplace=True),
    "dropout": lambda: nn.Dropout(0.3),
    "dropout of channels": lambda: nn.Dropout2d(0.5),
    "alpha dropout": lambda: nn.AlphaDropout(0.2),
    "pooling": lambda: nn.MaxPool2d(3, 2, 1),
}


def step(
    name: str, bits: int, dtype: torch.dtype, form: torch.memory_format, strange: float
) -> tuple[Tensor | None, ...]:
    torch.manual_seed(0)
    network = nn.Sequential(MODULES[name]()).to(dtype)
    convert(network, compress=["act", "relu", "dropout", "pool"], act_bits=bits)
    images = torch.randn(2, 3, 13, 17)
    images.view(-1)[::50] = strange
    leaf = images.to(dtype).contiguous(memory_format=form).requires_grad_()
    output = network(leaf * 1)
    output.backward(torch.randn(output.shape).to(dtype).contiguous(memory_format=form))
    return output.detach(), leaf.grad, *(weight.grad for weight in network.parameters())


@pytest.mark.parametrize("strange", [0.0, float("nan"), float("inf")])
@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("name", MODULES)
def test_a_step_is_the_same(name: str, bits: int, strange: float) -> None:
    with mock.patch.dict(bits_module._PIECE, cpu=2**10):
        assert_same(step, name, bits, torch.float32, torch.contiguous_format, strange)


@pytest.mark.parametrize("name", MODULES)
def test_other_forms_are_the_same(name: str) -> None:
    assert_same(step, name, 4, torch.float32, torch.channels_last, 0.0)
    assert_same(step, name, 4, torch.bfloat16, torch.contiguous_format, 0.0)


def test_three_threads_share_a_large_tensor() -> None:
    network = convert(nn.Sequential(nn.LeakyReLU(0.1)), compress="act")
    numbers = torch.randn(2**19 + 5, generator=torch.Generator().manual_seed(0))

    def step() -> Tensor | None:
        leaf = numbers.clone().requires_grad_()
        network(leaf * 1).backward(numbers)
        return leaf.grad

    with threads(3):
        assert_same(step)
