"""Every floating dtype, with and without autocast, as torch's own layers have it."""

from contextlib import AbstractContextManager, nullcontext
from unittest import mock

import pytest
import torch
from layer_cases import CONV2D, KINDS, Kind, assert_same, gradients, how, images, small_network
from torch import Tensor, nn

from xconv import XConv2d, convert
from xconv.schemes import SCHEMES
from xconv.watching import SWITCH

DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
LOW = [torch.bfloat16, torch.float16]
TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 3e-2, torch.float16: 4e-3}

all_kinds = pytest.mark.parametrize("kind", KINDS, ids=str)
every_scheme = pytest.mark.parametrize("scheme", SCHEMES)
low_precision = pytest.mark.parametrize("dtype", LOW, ids=str)


def step(
    layer: nn.Module, input: Tensor, cast: AbstractContextManager[object]
) -> dict[str, Tensor]:
    """Output and gradients; the forward pass alone runs under ``cast``, as torch advises."""
    layer.zero_grad()
    leaf = input.clone().requires_grad_()
    torch.manual_seed(0)
    with cast:
        output = layer(leaf)
    output.float().square().sum().backward()
    grads = {name: p.grad for name, p in layer.named_parameters()}
    return {"output": output.detach(), "input": leaf.grad, **grads}


def assert_torch_s(actual: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """Dtypes all equal, values too except the weight's, bit for bit in the forward pass."""
    assert {k: v.dtype for k, v in actual.items()} == {k: v.dtype for k, v in expected.items()}
    assert torch.equal(actual["output"], expected["output"])
    tolerance = TOLERANCE[actual["output"].dtype]
    for name in expected.keys() - {"output", "weight"}:
        scale = float(expected[name].abs().max())
        torch.testing.assert_close(
            actual[name], expected[name], rtol=0, atol=tolerance * scale, msg=name
        )


@all_kinds
@every_scheme
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_layer_of_any_dtype(kind: Kind, scheme: str, dtype: torch.dtype) -> None:
    exact, ours = kind.pair(4, 6, 3, padding=1, scheme=scheme, dtype=dtype)
    x = kind.images(dtype=dtype)
    assert_torch_s(step(ours, x, nullcontext()), step(exact, x, nullcontext()))
    assert not ours._xconv.falls_back


@pytest.mark.parametrize("dtype", DTYPES[1:], ids=str)
@every_scheme
def test_the_weight_gradient_is_the_same_estimate_in_every_dtype(
    scheme: str, dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    ours = XConv2d(4, 6, 3, dtype=torch.float64, **how(scheme))
    x = CONV2D.images(dtype=dtype).double()
    ours.to(dtype).double()
    expected = gradients(ours, x)["weight"]

    def error() -> float:
        actual = gradients(ours.to(dtype), x.to(dtype))["weight"].double()
        return float((actual - expected).norm() / expected.norm())

    unrounded = mock.patch("xconv.schemes.base.narrowed", side_effect=lambda sketch, seed: sketch)
    with unrounded, mock.patch.dict("os.environ", {SWITCH: "off"}):  # kernels round by themselves
        assert error() < TOLERANCE[dtype]
    assert error() < max(TOLERANCE[dtype], 2**-7)  # sketches of float32 take 16 bits


@all_kinds
@every_scheme
@low_precision
def test_autocast(kind: Kind, scheme: str, dtype: torch.dtype) -> None:
    exact, ours = kind.pair(4, 6, 3, padding=1, scheme=scheme)
    x = kind.images()
    expected = step(exact, x, torch.autocast("cpu", dtype=dtype))
    actual = step(ours, x, torch.autocast("cpu", dtype=dtype))
    assert expected["output"].dtype == dtype and expected["weight"].dtype == torch.float32
    assert_torch_s(actual, expected)


@every_scheme
@low_precision
def test_autocast_estimates_what_the_cast_layer_estimates(scheme: str, dtype: torch.dtype) -> None:
    _, ours = CONV2D.pair(4, 6, 3, scheme=scheme)
    x = CONV2D.images()
    actual = step(ours, x, torch.autocast("cpu", dtype=dtype))["weight"]
    expected = step(ours.to(dtype), x.to(dtype), nullcontext())["weight"]
    assert torch.equal(actual, expected.float())


@pytest.mark.parametrize("dtype", [torch.float64, *LOW], ids=str)
def test_autocast_of_inputs_that_are_not_float32(dtype: torch.dtype) -> None:
    exact, ours = CONV2D.pair(4, 6, 3, dtype=dtype)
    x = CONV2D.images(dtype=dtype)
    cast = {"device_type": "cpu", "dtype": torch.bfloat16}
    assert_torch_s(step(ours, x, torch.autocast(**cast)), step(exact, x, torch.autocast(**cast)))


def test_a_region_without_autocast_inside_autocast() -> None:
    class Region(nn.Module):
        def __init__(self, layer: nn.Module) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, input: Tensor) -> Tensor:
            with torch.autocast("cpu", enabled=False):
                return self.layer(input.float())

    exact, ours = (Region(layer) for layer in CONV2D.pair(4, 6, 3))
    x = CONV2D.images()
    outside = gradients(ours, x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(ours(x), exact(x))
        assert ours(x).dtype == torch.float32
        assert_same(gradients(ours, x), outside)


@every_scheme
def test_a_backward_pass_under_autocast_is_not_cast(scheme: str) -> None:
    model = convert(small_network()[:4], first="compressed", **how(scheme))
    expected = gradients(model, images())
    model.zero_grad()
    torch.manual_seed(0)
    loss = model(images()).square().sum()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss.backward()
    assert_same({n: p.grad for n, p in model.named_parameters()}, expected)


def test_autocast_inside_a_custom_function() -> None:
    """``custom_fwd`` runs the layer with autocast off, ``custom_bwd`` its backward likewise."""
    layer = XConv2d(4, 6, 3, probes=4)

    class Float32(torch.autograd.Function):
        @staticmethod
        @torch.amp.custom_fwd(device_type="cpu", cast_inputs=torch.float32)
        def forward(ctx, input: Tensor) -> Tensor:
            ctx.save_for_backward(input)
            return layer(input)

        @staticmethod
        @torch.amp.custom_bwd(device_type="cpu")
        def backward(ctx, grad: Tensor) -> Tensor:
            leaf = ctx.saved_tensors[0].detach().requires_grad_()
            with torch.enable_grad():
                torch.manual_seed(0)
                layer(leaf).backward(grad)
            return leaf.grad

    x = CONV2D.images().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = Float32.apply(x)
    assert output.dtype == torch.float32
    output.square().sum().backward()
    actual = layer.weight.grad.clone()
    assert torch.equal(actual, gradients(layer, x.detach())["weight"])


@pytest.mark.parametrize("outer", DTYPES[:2], ids=str)
def test_mismatched_dtypes_fail_as_in_torch(outer: torch.dtype) -> None:
    exact, ours = CONV2D.pair(4, 6, 3, dtype=outer)
    x = CONV2D.images(dtype=torch.float16)
    with pytest.raises(RuntimeError) as theirs:
        exact(x)
    with pytest.raises(RuntimeError) as mine:
        ours(x)
    assert str(mine.value) == str(theirs.value)


@pytest.mark.cuda
@low_precision
def test_autocast_on_cuda(dtype: torch.dtype) -> None:
    exact, ours = (layer.cuda() for layer in CONV2D.pair(4, 6, 3))
    x = CONV2D.images(device="cuda")
    expected = step(exact, x, torch.autocast("cuda", dtype=dtype))
    assert_torch_s(step(ours, x, torch.autocast("cuda", dtype=dtype)), expected)
