"""float16 and bfloat16: sketches do not overflow, and estimates are those of float64.

The same probes in every dtype, hence ±1 (exact in all) or float16 values handed out again.
"""

from typing import Any

import pytest
import torch
from complete_probes import WAYS, handed_out, probe_shape, projected, sets
from geometries import Case, conv_case
from torch import Tensor

from xconv.layout import Layout
from xconv.probing import Probing, estimate_gradient, keep
from xconv.random import rademacher
from xconv.schemes.base import summed

PROBES = 4
CASES = {
    "large map": conv_case((1, 16, 224, 224), 2, 3, padding=1, stride=4),
    "many channels": conv_case((2, 512, 28, 28), 4, 1),
    "1d": conv_case((2, 4, 60000), 2, 3, stride=50),
    "transposed": conv_case((1, 8, 96, 96), 2, 2, stride=2, transposed=True),
}
ERROR = {torch.float16: 2e-2, torch.bfloat16: 1e-1}
"""Relative to the norm: roundings of 2⁻¹¹ and 2⁻⁸, tens of them where large numbers cancel."""

every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
both_halves = pytest.mark.parametrize("dtype", ERROR, ids=str)


def signs(probing: Probing, layout: Layout) -> Tensor:
    """(sets, probes, *probe_shape), the same in every dtype and memory format."""
    shape = (sets(probing, layout), PROBES, *probe_shape(probing, layout))
    count = torch.Size(shape).numel()
    return rademacher(torch.tensor(1), 0, count, layout.dtype, layout.device).view(shape)


def estimate(way: dict[str, Any], case: Case, x: Tensor, delta: Tensor) -> tuple[Tensor, Tensor]:
    """Sketch and weight gradient in the dtype of ``x``."""
    layout, probing = Layout.of(x), Probing(PROBES, **way)
    weight = torch.empty_like(case.torch_layer(x.dtype).weight)
    with handed_out(probing, signs(probing, layout)):
        kept = keep(x, torch.tensor(0), probing, layout, weight.shape, delta.shape)
        gradient = estimate_gradient(
            kept, delta, case.geometry, probing, layout, weight,
            torch.promote_types(x.dtype, torch.float32),
        )  # fmt: skip
    return kept[1], gradient


def relative_error(ours: Tensor, exact: Tensor) -> float:
    return ((ours.double() - exact).norm() / exact.norm()).item()


@every_way
@both_halves
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("size", [1, 100, 1000])
def test_estimates_are_those_of_float64(
    size: float, case: Case, dtype: torch.dtype, way: dict[str, Any]
) -> None:
    """Activations of magnitude 100 and more, all of one sign: the largest that sketches can get."""
    x = (case.input().detach().abs() * size).to(dtype)
    output = case.geometry.convolve(x.double(), case.torch_layer().weight.data, None)
    delta = (case.output_gradient(output) / size / output.numel() ** 0.5).to(dtype)
    sketch, ours = estimate(way, case, x, delta)
    _, exact = estimate(way, case, x.double(), delta.double())
    assert sketch.dtype == dtype and ours.dtype == torch.float32
    assert sketch.abs().max() <= 10 * x.double().square().mean().sqrt()
    assert relative_error(ours, exact) < ERROR[dtype]


@every_way
def test_float64_itself_is_the_definition(way: dict[str, Any]) -> None:
    case = CASES["many channels"]
    x = case.input().detach()
    output = case.geometry.convolve(x, case.torch_layer().weight.data, None)
    _, ours = estimate(way, case, x, case.output_gradient(output))
    probing = Probing(PROBES, **way)
    expanded = projected(x, signs(probing, Layout.of(x)), probing)
    layer = case.torch_layer()
    (expected,) = torch.autograd.grad(layer(expanded), layer.weight, case.output_gradient(output))
    torch.testing.assert_close(ours, expected, rtol=1e-9, atol=1e-9)


@both_halves
@pytest.mark.parametrize("name", ["large map", "1d", "many channels"])
@pytest.mark.parametrize("value", [1e-3, 1.0, 1000.0])
def test_constant_images_have_their_gradient(value: float, name: str, dtype: torch.dtype) -> None:
    """All of them is in their means; what float16 sums up in between stays within its range."""
    case = CASES[name]
    x = torch.full(case.input_shape, value, dtype=dtype)
    delta = torch.ones_like(case.geometry.convolve(x, case.torch_layer(dtype).weight.data, None))
    delta = delta * (200.0 if value < 1 else 1e-2)
    _, ours = estimate(WAYS["independent"], case, x, delta)
    exact = case.geometry.weight_gradient(
        delta.double(), x.double(), case.torch_layer().weight.data
    )
    assert relative_error(ours, exact) < ERROR[dtype]


@both_halves
def test_chunks_are_summed_in_float32(dtype: torch.dtype) -> None:
    """Three thousand parts of one each: float16 would stop counting at 2048, bfloat16 at 256."""
    total = summed(torch.ones(2, dtype=dtype) for _ in range(3000))
    assert total.tolist() == [3000.0, 3000.0]
