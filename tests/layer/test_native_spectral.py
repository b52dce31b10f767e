"""Coefficients by the kernels in C are those of torch's operators, and so are gradients."""

import pytest
import torch
from native_cases import assert_same, needs_compiler
from torch import Tensor

from xconv import XConv1d, XConv2d, XConv3d
from xconv.spectrum.rounding import decode, encode, rotation

pytestmark = needs_compiler

SHAPES: dict[str, tuple[type, tuple[int, ...]]] = {
    "lines": (XConv1d, (3, 6, 100)),
    "images": (XConv2d, (3, 6, 40, 23)),
    "small images": (XConv2d, (5, 6, 7, 7)),
    "volumes": (XConv3d, (2, 6, 9, 8, 11)),
}


@pytest.mark.parametrize("bits", [0.5, 3.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("scheme", ["spectral", "quantized", "multi", "orthogonal"])
@pytest.mark.parametrize("name", SHAPES)
def test_a_step_is_the_same(name: str, scheme: str, dtype: torch.dtype, bits: float) -> None:
    kind, shape = SHAPES[name]
    dials = {"spectral": {"bits": bits}, "quantized": {"bits": 2 if bits < 1 else 4}}

    def step() -> tuple[Tensor | None, ...]:
        torch.manual_seed(0)
        layer = kind(6, 10, 3, padding=1, scheme=scheme, **dials.get(scheme, {})).to(dtype)
        input = torch.randn(shape).to(dtype).requires_grad_()
        output = layer(input)
        output.backward(torch.randn(output.shape).to(dtype))
        return output.detach(), input.grad, layer.weight.grad

    assert_same(step)


@pytest.mark.parametrize("strange", [1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("bits", [1, 2, 3, 4, 8, 16])
def test_turned_groups_are_the_same(bits: int, strange: float) -> None:
    turn = rotation(torch.tensor(3))
    values = torch.randn(17, 64, generator=torch.Generator().manual_seed(bits))
    values[5, 7] = strange
    values[6] = 0

    def both() -> tuple[Tensor, ...]:
        packed, scales = encode(values.clone(), bits, turn)
        return packed, scales, decode(packed, scales, bits, turn)

    assert_same(both)
