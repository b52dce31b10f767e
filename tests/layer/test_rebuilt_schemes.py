"""Schemes that form x̂, quantized and sampling: unbiased gradients, and the bytes promised."""

from itertools import cycle
from typing import Any
from unittest import mock

import pytest
import torch
from geometries import Case, conv_case
from statistics_checker import check_mean
from torch import Tensor, nn

import xconv
from xconv.schemes.quantized import GROUP
from xconv_bench.meters.saved import SavedMeter

SEEDS = 1000
SEED_BYTES = 8

CASES = {
    "zeros": conv_case((2, 3, 6, 5), 2, 3, padding=1, bias=False),
    "reflect": conv_case((2, 2, 5, 6), 2, 3, padding=2, padding_mode="reflect", bias=False),
    "dilated groups": conv_case((2, 4, 7, 6), 4, 2, padding="same", dilation=2, groups=2,
                                bias=False),
    "channels last": conv_case((3, 4, 7, 8), 2, 3, padding=1, stride=2, channels_last=True,
                               bias=False),
    "1d": conv_case((3, 2, 20), 3, 4, padding=3, bias=False),
    "3d": conv_case((2, 2, 3, 4, 4), 2, 2, padding=1, bias=False),
    "transposed": conv_case((2, 3, 6, 5), 2, 3, stride=2, transposed=True, bias=False),
}  # fmt: skip

SCHEMES: dict[str, dict[str, Any]] = {"quantized": {"bits": 2}, "sampling": {"keep": 0.3}}
every_scheme = pytest.mark.parametrize("scheme", SCHEMES)


def layer_of(case: Case, scheme: str, dtype: torch.dtype = torch.float64, **dials: Any) -> Any:
    return case.probed_layer(dtype, scheme=scheme, **(dials or SCHEMES[scheme]))


def images(case: Case) -> Tensor:
    """Return images as behind a ReLU: many zeros, and a mean that makes borders weigh more."""
    return (case.input().detach() + 0.5).relu().requires_grad_()


def gradients(layer: nn.Module, case: Case) -> tuple[Tensor, ...]:
    """Output, and the gradients of input, weight and bias."""
    input = images(case)
    output = layer(input)
    found = torch.autograd.grad(output, [input, *layer.parameters()], case.output_gradient(output))
    return (output, *found)


def samples_of(layer: nn.Module, case: Case) -> Tensor:
    torch.manual_seed(0)
    return torch.stack([gradients(layer, case)[2] for _ in range(SEEDS)])


@pytest.mark.parametrize(
    ("scheme", "name"), list(zip(cycle(SCHEMES), CASES, strict=False)), ids=str
)
def test_the_mean_over_seeds_is_the_exact_gradient(scheme: str, name: str) -> None:
    """Schemes round an input whatever the geometry; both have zeros in ``test_unbiasedness``."""
    case = CASES[name]
    layer = layer_of(case, scheme)
    samples = samples_of(layer, case)
    assert not layer._xconv.falls_back and samples.std(0).max() > 0
    check_mean(samples, gradients(case.torch_layer(), case)[2])
    with pytest.raises(AssertionError, match="standard errors"):
        check_mean(0.9 * samples, gradients(case.torch_layer(), case)[2])


@pytest.mark.parametrize("bits", [1, 4, 8])
def test_any_number_of_bits_will_do(bits: int) -> None:
    """Several groups, of which the last is not full, some at a time as some images are."""
    case = conv_case((5, 3, 9, 8), 2, 3, padding=1, bias=False)
    layer = layer_of(case, "quantized", bits=bits)
    with (
        mock.patch("xconv.schemes.quantized.AT_A_TIME", {"cpu": 2 * GROUP}),
        mock.patch("xconv.schemes.rebuilt.AT_A_TIME", {"cpu": 432}),
    ):
        samples = samples_of(layer, case)
    check_mean(samples, gradients(case.torch_layer(), case)[2])


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@every_scheme
def test_output_and_the_other_gradients_are_exact(scheme: str, case: Case) -> None:
    exact = gradients(case.torch_layer(), case)
    found = gradients(layer_of(case, scheme), case)
    assert found[0].equal(exact[0])
    assert torch.allclose(found[1], exact[1], rtol=1e-12)


@pytest.mark.parametrize(
    ("dials", "expected"),
    [
        # Of 144 pixels, 14 numbers of 4 bytes for each of 2 · 3 channels.
        ({"keep": 0.1}, 2 * 3 * 14 * 4),
        # 864 numbers in 4 groups, each with two bounds.
        ({"scheme": "quantized"}, 4 * (GROUP * 2 // 8 + 8)),
        ({"scheme": "quantized", "bits": 1}, 4 * (GROUP // 8 + 8)),
        ({"scheme": "quantized", "bits": 8}, 4 * (GROUP + 8)),
    ],
)
def test_saved_bytes(dials: dict[str, Any], expected: int) -> None:
    input = torch.randn(2, 3, 12, 12)
    layer = xconv.XConv2d(3, 4, 3, **dials)
    meter = SavedMeter(layer.parameters())
    with meter:
        output = layer(input)
    assert meter.reading["saved_bytes"] == expected + SEED_BYTES
    del output


@every_scheme
def test_the_same_seed_gives_the_same_estimate(scheme: str) -> None:
    case = CASES["zeros"]
    layer = layer_of(case, scheme)
    torch.manual_seed(3)
    first = gradients(layer, case)[2]
    torch.manual_seed(3)
    assert gradients(layer, case)[2].equal(first)
    assert not gradients(layer, case)[2].equal(first)


@every_scheme
def test_what_is_no_smaller_is_left_exact(scheme: str) -> None:
    layer = xconv.XConv2d(1, 2, 1, scheme=scheme)
    (gradient,) = torch.autograd.grad(layer(torch.ones(1, 1, 1, 1)).sum(), layer.weight)
    assert gradient.equal(torch.ones_like(gradient))
    assert "no smaller than the input" in layer._xconv.falls_back


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@every_scheme
def test_half_precision_does_not_overflow(scheme: str, dtype: torch.dtype) -> None:
    """Not even where the input is near the largest number there is: x̂ may be larger."""
    layer = xconv.XConv2d(1, 1, 1, bias=False, dtype=dtype, scheme=scheme)
    nn.init.ones_(layer.weight)
    input = torch.randn(2, 1, 16, 16).sign().mul(60000).to(dtype)
    layer(input).backward(torch.full((2, 1, 16, 16), 1e-4, dtype=dtype))
    assert layer.weight.grad.dtype == dtype and layer.weight.grad.isfinite().all()


@pytest.mark.parametrize(
    ("dials", "words"),
    [
        ({"scheme": "quantized", "bits": 0.5}, "bits of quantized must be one of 1, 2, 4, 8"),
        ({"scheme": "quantized", "bits": 3}, "one of 1, 2, 4, 8; got 3"),
        ({"scheme": "quantized", "probes": 8}, "takes bits, not probes; got probes=8"),
        ({"keep": 0.0}, "keep must be above 0 and at most 1; got 0"),
        ({"keep": 1.5}, "keep must be above 0 and at most 1; got 1.5"),
        ({"scheme": "sampling", "bits": 2}, "takes keep, not bits; got bits=2"),
    ],
)
def test_wrong_dials_are_refused(dials: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        xconv.XConv2d(1, 1, 1, **dials)
