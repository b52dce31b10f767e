"""Activations and dropout by kernels in C have the outputs and gradients of torch's operators."""

from collections.abc import Callable
from unittest import mock

import pytest
import torch
from native_cases import assert_same, needs_compiler, threads
from torch import Tensor, nn

from xconv import bits as bits_module
from xconv import convert
from xconv.native import slopes
from xconv.native.calling import Library
from xconv.saved.windows import Windows

pytestmark = needs_compiler

MODULES: dict[str, Callable[[], nn.Module]] = {
    "gelu": nn.GELU,
    "hardswish": nn.Hardswish,
    "elu": nn.ELU,
    "silu": nn.SiLU,
    "sigmoid": nn.Sigmoid,
    "leaky relu": lambda: nn.LeakyReLU(0.1),
    "relu6": lambda: nn.ReLU6(inplace=False),
    "hardtanh": lambda: nn.Hardtanh(-0.3, 0.7),
    "hardsigmoid": nn.Hardsigmoid,
    "threshold": lambda: nn.Threshold(0.1, 20.0),
    "hardshrink": nn.Hardshrink,
    "softshrink": lambda: nn.Softshrink(0.0),
    "prelu": lambda: nn.PReLU(3),
    "relu in place": lambda: nn.ReLU(inplace=True),
    "dropout": lambda: nn.Dropout(0.3),
    "dropout of channels": lambda: nn.Dropout2d(0.5),
    "alpha dropout": lambda: nn.AlphaDropout(0.2),
    "pooling": lambda: nn.MaxPool2d(3, 2, 1),
    "pooling of spread windows": lambda: nn.MaxPool2d((3, 2), (2, 3), (1, 0), dilation=(2, 3)),
    "adaptive pooling": lambda: nn.AdaptiveMaxPool2d((5, 4)),
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


ENDS = torch.tensor([0.0, 0.1, 0.3, 0.5, 0.7, 3.0, 6.0]).repeat(5)
"""Numbers at which slopes change."""


@pytest.mark.parametrize("name", MODULES)
def test_numbers_at_which_slopes_change(name: str) -> None:
    ends = torch.cat([ENDS, -ENDS, ENDS.nextafter(-ENDS), ENDS.nextafter(10 * ENDS + 1)])
    numbers = ends.repeat(12).view(1, 3, 10, 56)

    def step() -> Tensor | None:
        torch.manual_seed(0)
        network = nn.Sequential(MODULES[name]())
        convert(network, compress=["act", "relu", "dropout", "pool"])
        leaf = numbers.clone().requires_grad_()
        output = network(leaf * 1)
        output.backward(torch.ones_like(output))
        return leaf.grad

    assert_same(step)


@pytest.mark.parametrize(
    ("name", "functions"),
    [
        ("hardswish", {"round_hardswish", "scale_by_codes"}),
        ("relu6", {"pack_inside", "scale_by_codes"}),
        ("leaky relu", {"pack_up_to", "scale_by_codes"}),
        ("threshold", {"pack_outside", "scale_by_codes"}),
        ("pooling", {"find_positions", "pack_codes", "unpack_codes", "find_indices"}),
    ],
)
def test_one_pass_is_used(name: str, functions: set[str]) -> None:
    """The other tests would hold without it, too."""
    if name == "hardswish" and not slopes.is_hardswish_known():
        pytest.skip("this torch has other slopes")
    with mock.patch.object(Library, "run", autospec=True, side_effect=Library.run) as run:
        step(name, 4, torch.float32, torch.contiguous_format, 0.0)
    assert {call.args[1] for call in run.call_args_list} == functions


def test_positions_in_the_windows_of_huge_images() -> None:
    """Whole numbers are divided by products: exactly, up to the most pixels."""
    windows = Windows((3, 5), (6000, 7000), (1, 2), (1, 2))
    pixels = (40_000, 50_000)
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randint(15, (2, 3, 6, 7), generator=generator).to(torch.uint8)
    drawn[:, :, :1], drawn[:, :, :, :1] = 14, 14  # inside of the image

    def there_and_back() -> tuple[Tensor, Tensor]:
        indices = windows.indices(drawn, pixels)
        return indices, windows.positions(indices, pixels)

    assert_same(there_and_back)
    assert torch.equal(there_and_back()[1], drawn)


def test_three_threads_share_a_large_tensor() -> None:
    network = convert(nn.Sequential(nn.LeakyReLU(0.1)), compress="act")
    numbers = torch.randn(2**19 + 5, generator=torch.Generator().manual_seed(0))

    def step() -> Tensor | None:
        leaf = numbers.clone().requires_grad_()
        network(leaf * 1).backward(numbers)
        return leaf.grad

    with threads(3):
        assert_same(step)
