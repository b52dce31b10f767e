"""Output and exact gradients, for every geometry that torch accepts: those of torch's own layer."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from geometries import DRAWN, Case, cases, conv_case
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from xconv.geometry import resolve_padding, same_padding

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same'")

ROUNDING = {"rtol": 1e-11, "atol": 1e-11}
"""float64; gradients are sums of a few hundred products at the most."""
PROBING = {"probes": 1, "scheme": "multi"}
"""The smallest sketch: whatever is drawn, it is smaller than the input."""


def results(layer: Any, input: Tensor, case: Case) -> dict[str, Tensor]:
    """Output of a layer, and the gradients that are exact in a probed one."""
    output = layer(input)
    wanted = {"input": input, **({"bias": layer.bias} if case.bias else {}), "weight": layer.weight}
    gradients = torch.autograd.grad(output, [*wanted.values()], case.output_gradient(output))
    return {"output": output, **dict(zip(wanted, gradients, strict=True))}


def assert_as_torch(case: Case, input: Tensor) -> None:
    """Output bit for bit, gradients of input and bias to rounding, and no fall back."""
    layer = case.probed_layer(**PROBING)
    ours = results(layer, input, case)
    theirs = results(case.torch_layer(), input, case)
    assert not layer._xconv.falls_back
    torch.testing.assert_close(ours["output"], theirs["output"], rtol=0, atol=0)
    assert ours["output"].stride() == theirs["output"].stride()
    torch.testing.assert_close(ours["input"], theirs["input"], **ROUNDING)
    if case.bias:
        torch.testing.assert_close(ours["bias"], theirs["bias"], **ROUNDING)
    assert ours["weight"].shape == theirs["weight"].shape


@settings(DRAWN, max_examples=250)
@given(cases())
def test_everything_but_the_weight_gradient_is_torchs(case: Case) -> None:
    assert_as_torch(case, case.input())


@settings(DRAWN, max_examples=60)
@given(cases())
def test_an_unbatched_input_is_a_batch_of_one(case: Case) -> None:
    assert_as_torch(case, case.input()[0].detach().requires_grad_())


@settings(DRAWN, max_examples=80)
@given(cases(max_pixels=40))
def test_input_gradient_is_the_adjoint_of_the_forward_pass(case: Case) -> None:
    """⟨conv(u), v⟩ = ⟨u, adjoint(v)⟩, and so does the route that other devices take."""
    geometry, weight, u = case.geometry, case.torch_layer().weight.data, case.input().detach()
    output = geometry.convolve(u, weight, None)
    v = case.output_gradient(output)
    adjoint = geometry.input_gradient(v, weight, u.shape)
    torch.testing.assert_close((output * v).sum(), (u * adjoint).sum(), **ROUNDING)
    padded = geometry.pad(u)
    direct = geometry._backward(v, padded, weight, [True, False, False])[0]
    torch.testing.assert_close(geometry._unpad(direct, u.shape), adjoint, **ROUNDING)


@settings(DRAWN, max_examples=60)
@given(cases())
def test_weight_gradient_of_an_input_is_torchs(case: Case) -> None:
    layer, input = case.torch_layer(), case.input()
    theirs = results(layer, input, case)
    gradient = case.output_gradient(theirs["output"])
    ours = case.geometry.weight_gradient(gradient, input.detach(), torch.zeros_like(layer.weight))
    torch.testing.assert_close(ours, theirs["weight"], **ROUNDING)


@settings(DRAWN, max_examples=60)
@given(cases())
def test_the_input_gradient_is_dense(case: Case) -> None:
    """Not a window on the padded gradient, which would keep it alive."""
    input = case.input()
    gradient = results(case.probed_layer(**PROBING), input, case)["input"]
    assert gradient.untyped_storage().nbytes() <= input.untyped_storage().nbytes() or (
        case.transposed and max(case.output_padding) > 0
    )


@pytest.mark.parametrize(
    "case",
    [
        conv_case((2, 4, 7, 6), 6, 3, padding=1, channels_last=True),
        conv_case((2, 4, 5, 6, 4), 4, 2, padding="same", channels_last=True),
        conv_case((2, 4, 5, 6), 4, 3, stride=2, transposed=True, channels_last=True),
    ],
    ids=["2d", "3d", "transposed"],
)
def test_channels_last_goes_through_where_it_does_in_torch(case: Case) -> None:
    input = case.input(torch.float32)
    ours = results(case.probed_layer(torch.float32, **PROBING), input, case)
    theirs = results(case.torch_layer(torch.float32), input, case)
    assert ours["output"].stride() == theirs["output"].stride()
    assert ours["input"].stride() == theirs["input"].stride()


@pytest.mark.parametrize(
    "case",
    [
        conv_case((2, 3, 6), 2, 3, stride=1, dilation=2, output_padding=1, transposed=True),
        conv_case((1, 2, 5, 5), 2, 2, stride=2, dilation=3, output_padding=2, transposed=True),
    ],
    ids=["1d", "2d"],
)
def test_output_padding_may_reach_beyond_the_stride(case: Case) -> None:
    """torch allows it below the dilation too; the adjoint then sees more pixels than there are."""
    assert_as_torch(case, case.input())


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
@pytest.mark.parametrize("sides", [(2, 1), (0, 3), (3, 0), (1, 2, 2, 0), (0, 1, 3, 2, 1, 0)])
def test_unpad_is_the_adjoint_of_pad(mode: str, sides: tuple[int, ...]) -> None:
    case = conv_case((2, 3, *[5] * (len(sides) // 2)), 2, 1)
    u = case.input()
    padded = F.pad(u, sides, mode)
    v = case.output_gradient(padded)
    geometry = case.geometry.__class__(
        *((size,) * case.dimensions for size in (1, 0, 1)), border=sides, border_mode=mode
    )
    (expected,) = torch.autograd.grad(padded, u, v)
    torch.testing.assert_close(geometry._unpad(v.clone(), u.shape), expected, **ROUNDING)


@given(kernel=st.integers(1, 6), dilation=st.integers(1, 3))
@settings(DRAWN)
def test_same_padding_keeps_the_size(kernel: int, dilation: int) -> None:
    ((before, after),) = same_padding((kernel,), (dilation,))
    assert before + after == dilation * (kernel - 1)
    assert 0 <= after - before <= 1


@pytest.mark.parametrize(
    ("padding", "mode", "expected"),
    [
        ("valid", "zeros", ((0, 0), (), "constant")),
        ("same", "zeros", ((1, 1), (0, 0, 0, 1), "constant")),
        ((2, 1), "zeros", ((2, 1), (), "constant")),
        ((2, 1), "reflect", ((0, 0), (1, 1, 2, 2), "reflect")),
        ("same", "circular", ((0, 0), (1, 1, 1, 2), "circular")),
        ("valid", "circular", ((0, 0), (), "circular")),
    ],
)
def test_padding_arguments_mean_what_they_mean_in_torch(
    padding: str | tuple[int, ...], mode: str, expected: tuple[Any, ...]
) -> None:
    result = resolve_padding(padding, mode, (4, 3), (1, 1))
    assert (result[0], result[1] if any(result[1]) else (), result[2]) == expected


def test_an_unknown_padding_word_is_refused() -> None:
    with pytest.raises(RuntimeError, match=r"'full'.*'same', 'valid'"):
        resolve_padding("full", "zeros", (3,), (1,))
