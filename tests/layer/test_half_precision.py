"""float16 and bfloat16: sketches do not overflow, and estimates are those of float64.

The same probes in every dtype, hence ±1 (exact in all) or float16 values handed out again.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from complete_probes import handed_out, projected
from geometries import Case, conv_case
from torch import Tensor

from xconv.layout import Layout
from xconv.random import rademacher
from xconv.schemes import PROBED, Probes
from xconv.schemes.base import _sum

PROBES = 4
CASES = {
    "large map": conv_case((1, 16, 224, 224), 2, 3, padding=1, stride=4),
    "many channels": conv_case((2, 512, 28, 28), 4, 1),
    "1d": conv_case((2, 4, 60000), 2, 3, stride=50),
    "transposed": conv_case((1, 8, 96, 96), 2, 2, stride=2, transposed=True),
}
ERROR = {torch.float16: 2e-2, torch.bfloat16: 1e-1}
"""Relative to the norm: roundings of 2⁻¹¹ and 2⁻⁸, tens of them where large numbers cancel."""

every_scheme = pytest.mark.parametrize("scheme", PROBED.values(), ids=PROBED)
both_halves = pytest.mark.parametrize("dtype", ERROR, ids=str)


def signs(scheme: Probes, layout: Layout) -> Tensor:
    """(probes, *probe_shape), the same in every dtype and memory format."""
    shape = (PROBES, *scheme.probe_shape(layout))
    count = torch.Size(shape).numel()
    return rademacher(torch.tensor(1), 0, count, layout.dtype, layout.device).view(shape)


def estimate(scheme: Probes, case: Case, x: Tensor, delta: Tensor) -> tuple[Tensor, Tensor]:
    """Sketch and weight gradient in the dtype of ``x``."""
    layout = Layout.of(x)
    weight = torch.empty_like(case.torch_layer(x.dtype).weight)

    def chunks() -> Iterator[Any]:
        return handed_out(scheme, signs(scheme, layout), PROBES, layout)

    sketch = scheme.sketch(x, chunks())
    return sketch, scheme.weight_gradient(
        sketch, chunks(), PROBES, delta, case.geometry, layout, weight
    )


def relative_error(estimate: Tensor, exact: Tensor) -> float:
    return ((estimate.double() - exact).norm() / exact.norm()).item()


@every_scheme
@both_halves
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("size", [1, 100, 1000])
def test_estimates_are_those_of_float64(
    size: float, case: Case, dtype: torch.dtype, scheme: Probes
) -> None:
    """Activations of magnitude 100 and more, all of one sign: the largest that sketches can get."""
    x = (case.input().detach().abs() * size).to(dtype)
    output = case.geometry.convolve(x.double(), case.torch_layer().weight.data, None)
    delta = (case.output_gradient(output) / size / output.numel() ** 0.5).to(dtype)
    sketch, ours = estimate(scheme, case, x, delta)
    _, exact = estimate(scheme, case, x.double(), delta.double())
    assert sketch.dtype == dtype and ours.dtype == torch.float32
    assert sketch.abs().max() <= 10 * x.double().square().mean().sqrt()
    assert relative_error(ours, exact) < ERROR[dtype]


@every_scheme
def test_float64_itself_is_the_definition(scheme: Probes) -> None:
    case = CASES["many channels"]
    x = case.input().detach()
    output = case.geometry.convolve(x, case.torch_layer().weight.data, None)
    _, ours = estimate(scheme, case, x, case.output_gradient(output))
    expanded = projected(x, signs(scheme, Layout.of(x)))
    layer = case.torch_layer()
    (expected,) = torch.autograd.grad(layer(expanded), layer.weight, case.output_gradient(output))
    torch.testing.assert_close(ours, expected, rtol=1e-9, atol=1e-9)


@both_halves
def test_chunks_are_summed_in_float32(dtype: torch.dtype) -> None:
    """Three thousand parts of one each: float16 would stop counting at 2048, bfloat16 at 256."""
    total = _sum(torch.ones(2, dtype=dtype) for _ in range(3000))
    assert total.tolist() == [3000.0, 3000.0]
