"""Inputs stored smaller: unbiased gradients, the bytes promised, and what is left exact."""

from typing import Any

import pytest
import torch
from geometries import Case, conv_case
from statistics_checker import check_mean
from torch import Tensor, nn

from xconv import BitReLU
from xconv_bench.configuration import Configuration
from xconv_bench.errors import Unsupported
from xconv_bench.meters.saved import SavedMeter
from xconv_bench.methods import METHODS
from xconv_bench.methods.quantized import GROUP

SEEDS = 1000
SEED_BYTES = 8

CASES = {
    "zeros": conv_case((2, 3, 6, 5), 2, 3, padding=1, bias=False),
    "reflect": conv_case((2, 2, 5, 6), 2, 3, padding=2, padding_mode="reflect", bias=False),
    "strided": conv_case((2, 2, 7, 8), 2, 3, padding=1, stride=2, bias=False),
    "dilated groups": conv_case((2, 4, 7, 6), 4, 2, padding="same", dilation=2, groups=2,
                                bias=False),
    "1d": conv_case((3, 2, 20), 3, 4, padding=3, bias=False),
    "3d": conv_case((2, 2, 3, 4, 4), 2, 2, padding=1, bias=False),
}  # fmt: skip

KNOBS: dict[str, dict[str, Any]] = {
    "rad-projection": {"keep": 0.3},
    "rad-sampling": {"keep": 0.3},
    "quantized": {"bits": 2},
}
METHOD = pytest.mark.parametrize("method", KNOBS)


def apply(model: nn.Module, method: str, compress: str = "conv", **knobs: Any) -> nn.Module:
    chosen = knobs or KNOBS[method]
    return METHODS[method].apply(model, Configuration("own", method, compress=compress, **chosen))


def images(case: Case) -> Tensor:
    """Not of zero mean, as activations are: borders weigh more."""
    return (case.input().detach() + 1).requires_grad_()


def gradients(layer: nn.Module, case: Case) -> tuple[Tensor, ...]:
    """Output, and the gradients of input, weight and bias."""
    input = images(case)
    output = layer(input)
    found = torch.autograd.grad(output, [input, *layer.parameters()], case.output_gradient(output))
    return (output, *found)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@METHOD
def test_the_mean_over_seeds_is_the_exact_gradient(method: str, case: Case) -> None:
    layer = apply(case.torch_layer(), method)
    torch.manual_seed(0)
    samples = torch.stack([gradients(layer, case)[2] for _ in range(SEEDS)])
    assert not layer.falls_back and samples.std(0).max() > 0
    check_mean(samples, gradients(case.torch_layer(), case)[2])


@pytest.mark.parametrize("bits", [1, 4, 8])
def test_any_number_of_bits_will_do(bits: int) -> None:
    """Several groups, of which the last is not full."""
    case = conv_case((3, 3, 9, 8), 2, 3, padding=1, bias=False)
    layer = apply(case.torch_layer(), "quantized", bits=bits)
    torch.manual_seed(0)
    samples = torch.stack([gradients(layer, case)[2] for _ in range(SEEDS)])
    check_mean(samples, gradients(case.torch_layer(), case)[2])


@METHOD
def test_a_wrong_scale_would_be_caught(method: str) -> None:
    case = CASES["zeros"]
    layer = apply(case.torch_layer(), method)
    torch.manual_seed(0)
    samples = torch.stack([gradients(layer, case)[2] for _ in range(SEEDS)])
    with pytest.raises(AssertionError, match="standard errors"):
        check_mean(0.9 * samples, gradients(case.torch_layer(), case)[2])


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@METHOD
def test_output_and_the_other_gradients_are_exact(method: str, case: Case) -> None:
    exact = gradients(case.torch_layer(), case)
    found = gradients(apply(case.torch_layer(), method), case)
    assert found[0].equal(exact[0])
    assert torch.allclose(found[1], exact[1], rtol=1e-12)


@METHOD
def test_the_bias_has_its_exact_gradient(method: str) -> None:
    case = conv_case((2, 3, 6, 5), 2, 3)
    exact, found = (
        gradients(layer, case)[3]
        for layer in (case.torch_layer(), apply(case.torch_layer(), method))
    )
    assert torch.allclose(found, exact, rtol=1e-12)


def saved_bytes(model: nn.Module, input: Tensor) -> int:
    meter = SavedMeter(model.parameters())
    with meter:
        output = model(input)
    reading = meter.reading["saved_bytes"]
    del output
    return reading


@pytest.mark.parametrize(
    ("method", "knobs", "expected"),
    [
        # Of 144 pixels, 14 numbers of 4 bytes for each of 2 · 3 channels.
        ("rad-projection", {"keep": 0.1}, 2 * 3 * 14 * 4),
        ("rad-sampling", {"keep": 0.1}, 2 * 3 * 14 * 4),
        # 864 numbers in 4 groups, each with two bounds.
        ("quantized", {"bits": 2}, 4 * (GROUP * 2 // 8 + 8)),
        ("quantized", {"bits": 8}, 4 * (GROUP + 8)),
    ],
)
def test_saved_bytes(method: str, knobs: dict[str, Any], expected: int) -> None:
    input = torch.randn(2, 3, 12, 12)
    model = apply(nn.Sequential(nn.Conv2d(3, 4, 3)), method, **knobs)
    assert saved_bytes(model, input) == expected + SEED_BYTES
    with torch.no_grad():
        assert saved_bytes(model, input) == 0


def test_eight_bits_are_nearly_exact_and_constants_are() -> None:
    case = conv_case((2, 3, 16, 16), 4, 3)
    layer = apply(case.torch_layer(torch.float32), "quantized", bits=8)
    exact = case.torch_layer(torch.float32)
    x, constant = torch.randn(2, 3, 16, 16), torch.full((2, 3, 16, 16), 0.3)
    for input, tolerance in ((x, 0.02), (constant, 1e-6)):
        for each in (layer, exact):
            each.zero_grad()
            each(input).square().sum().backward()
        error = (layer.weight.grad - exact.weight.grad).norm() / exact.weight.grad.norm()
        assert error < tolerance


@METHOD
def test_the_same_seed_gives_the_same_estimate_and_no_other_numbers_are_drawn(method: str) -> None:
    case = CASES["zeros"]
    layer = apply(case.torch_layer(), method)
    torch.manual_seed(3)
    first, state = gradients(layer, case)[2], torch.get_rng_state()
    torch.manual_seed(3)
    assert gradients(layer, case)[2].equal(first)
    torch.manual_seed(3)
    torch.randint(2**62, ())
    assert torch.get_rng_state().equal(state)


@METHOD
def test_what_is_left_exact_is_said(method: str) -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.ConvTranspose2d(4, 2, 2), nn.Conv2d(2, 2, 3)
    )
    apply(model, method, "conv,relu")
    cell = Configuration("own", method, compress="conv,relu", **KNOBS[method])
    model(torch.randn(2, 3, 8, 8))
    assert [type(m).__name__ for m in model[:3]] == [
        "StoredInputConv2d", "BitReLU", "ConvTranspose2d"
    ]  # fmt: skip
    said = METHODS[method].remark(model, cell)
    assert said == "1 of 3 conv modules are exact: 1 × transposed convolution"
    small = apply(nn.Sequential(nn.Conv2d(1, 2, 1)), method)
    small(torch.randn(1, 1, 1, 1))
    assert "no smaller than the input" in METHODS[method].remark(small, cell)
    (gradient,) = torch.autograd.grad(small(torch.ones(1, 1, 1, 1)).sum(), small[0].weight)
    assert gradient.equal(torch.ones_like(gradient))


@METHOD
def test_without_convolutions_there_are_no_knobs_and_nothing_to_swap(method: str) -> None:
    knobs = {**KNOBS[method], "compress": "relu"}
    settled = METHODS[method].settle(knobs)
    assert settled == {**dict.fromkeys(knobs), "compress": "relu"}
    model = METHODS[method].apply(nn.Sequential(nn.ReLU()), Configuration("own", method, **settled))
    assert isinstance(model[0], BitReLU)
    with pytest.raises(Unsupported, match=f"^own has no module that {method} can swap; it com"):
        apply(nn.Sequential(nn.Linear(2, 2)), method)


@METHOD
def test_an_image_without_a_batch_is_exact(method: str) -> None:
    layer = apply(nn.Conv2d(3, 2, 3), method)
    (gradient,) = torch.autograd.grad(layer(torch.ones(3, 6, 6)).sum(), layer.weight)
    assert gradient.equal(torch.full_like(gradient, 16.0))
    assert layer.falls_back


@METHOD
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(method: str, dtype: torch.dtype) -> None:
    case = conv_case((2, 3, 16, 16), 2, 3, bias=False)
    layer = apply(case.torch_layer(dtype), method)
    output = layer(case.input(dtype))
    output.sum().backward()
    assert layer.weight.grad.dtype == dtype and layer.weight.grad.isfinite().all()
