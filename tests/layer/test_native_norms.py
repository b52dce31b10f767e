"""Normalisations by the kernels in C have the outputs and gradients of torch's operators."""

from collections.abc import Callable
from unittest import mock

import pytest
import torch
from native_cases import assert_same, needs_compiler, threads
from torch import Tensor, nn

from xconv import convert
from xconv.native import lines
from xconv.native.calling import Library
from xconv.saved import stand_in

pytestmark = needs_compiler

MODULES: dict[str, Callable[[], nn.Module]] = {
    "batch": lambda: nn.BatchNorm2d(6),
    "instance": lambda: nn.InstanceNorm2d(6, affine=True),
    "group": lambda: nn.GroupNorm(3, 6),
    "group without γ": lambda: nn.GroupNorm(2, 6, affine=False),
    "layer": lambda: nn.LayerNorm((6, 13, 9)),
    "root mean square": lambda: nn.RMSNorm(9),
}
SHAPE = (4, 6, 13, 9)
MANY = 2**9
"""Numbers to process together: several parts, whose last groups are not full."""


def step(
    name: str, bits: int, dtype: torch.dtype, form: torch.memory_format, needs_input: bool
) -> tuple[Tensor | None, ...]:
    """Return the output of a module and all its gradients."""
    torch.manual_seed(0)
    network = nn.Sequential(MODULES[name]()).to(dtype)
    convert(network, compress=["norm"], norm_bits=bits, first="compressed")
    images, grad_output = (
        torch.randn(SHAPE).to(dtype).contiguous(memory_format=form) for _ in range(2)
    )
    output = network(images.requires_grad_(needs_input))
    output.backward(grad_output)
    return output.detach(), images.grad, *(weight.grad for weight in network.parameters())


@pytest.mark.parametrize("count", [1, 3], ids=["one thread", "three threads"])
@pytest.mark.parametrize("bits", [2, 8])
@pytest.mark.parametrize("name", MODULES)
def test_a_step_is_the_same(name: str, bits: int, count: int) -> None:
    form = torch.contiguous_format
    with mock.patch.dict(stand_in._AT_A_TIME, cpu=MANY), threads(count):
        assert_same(step, name, bits, torch.float32, form, True)


def test_one_pass_is_used() -> None:
    """The other tests would hold without it, too."""
    assert lines.rounds_as_one() is not None
    with mock.patch.object(Library, "run", autospec=True, side_effect=Library.run) as run:
        step("batch", 2, torch.float32, torch.contiguous_format, True)
    names = {call.args[1] for call in run.call_args_list}
    assert names == {"keep_lines", "restore_lines", "finish_lines"}


@pytest.mark.parametrize("name", MODULES)
def test_other_forms_are_the_same(name: str) -> None:
    with mock.patch.dict(stand_in._AT_A_TIME, cpu=MANY):
        assert_same(step, name, 2, torch.float32, torch.channels_last, True)
        assert_same(step, name, 2, torch.bfloat16, torch.contiguous_format, True)
        if "without" not in name:
            assert_same(step, name, 4, torch.float32, torch.contiguous_format, False)
