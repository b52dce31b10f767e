"""Every scheme, family and dtype on a GPU: what is exact stays so, estimates are unbiased."""

import pytest
import torch
from cuda_cases import (
    DEVICE,
    FAMILY_SETS,
    images,
    network,
    relative,
    repeatable,
    step,
    synchronising_is_an_error,
    tf32,
)
from layer_cases import assert_same
from statistics_checker import check_mean
from torch import nn

from xconv import XConv2d, convert, revert
from xconv.schemes import SCHEMES

pytestmark = pytest.mark.cuda

DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
TOLERANCE = {torch.float64: 1e-12, torch.float32: 5e-3, torch.bfloat16: 3e-2, torch.float16: 6e-3}
"""Tolerances of what is not estimated. float32 is TF32, as cuDNN has it by default."""
SEEDS = 1000

every_scheme = pytest.mark.parametrize("scheme", SCHEMES)
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)
every_family = pytest.mark.parametrize("compress", FAMILY_SETS, ids="+".join)


def pair(
    scheme: str, dtype: torch.dtype = torch.float32, layout: torch.memory_format | None = None
) -> tuple[nn.Module, nn.Module]:
    """A layer of torch's and one of ours, with equal weights."""
    torch.manual_seed(0)
    exact = nn.Conv2d(8, 16, 3, padding=1)
    layer = nn.Conv2d(8, 16, 3, padding=1)
    ours = convert(nn.Sequential(layer), scheme=scheme, first="compressed")[0]
    ours.load_state_dict(exact.state_dict())
    layout = layout or torch.contiguous_format
    exact, ours = (m.to(DEVICE, dtype=dtype, memory_format=layout) for m in (exact, ours))
    assert isinstance(ours, XConv2d)
    return exact, ours


@every_scheme
@every_dtype
def test_outputs_and_input_gradients_are_torch_s(scheme: str, dtype: torch.dtype) -> None:
    exact, ours = pair(scheme, dtype)
    x = images(dtype=dtype)
    expected, actual = step(exact, x), step(ours, x)
    assert torch.equal(actual["output"], expected["output"])
    assert relative(actual["weight"], expected["weight"]) > 1e-3  # an estimate
    for name in ("input", "bias"):
        assert relative(actual[name], expected[name]) < TOLERANCE[dtype]
    assert actual["weight"].dtype == expected["weight"].dtype
    assert actual["weight"].isfinite().all()


@every_scheme
def test_channels_last_stays_channels_last(scheme: str) -> None:
    exact, ours = pair(scheme, layout=torch.channels_last)
    x = images().contiguous(memory_format=torch.channels_last)
    expected, actual = step(exact, x), step(ours, x)
    assert torch.equal(actual["output"], expected["output"])
    assert actual["output"].is_contiguous(memory_format=torch.channels_last)
    assert actual["input"].is_contiguous(memory_format=torch.channels_last)
    assert relative(actual["input"], expected["input"]) < TOLERANCE[torch.float32]


@every_scheme
def test_the_mean_over_seeds_is_the_exact_gradient(scheme: str) -> None:
    torch.manual_seed(0)
    exact = nn.Conv2d(2, 3, 3, padding=1, bias=False).to(DEVICE, torch.float64)
    layer = nn.Conv2d(2, 3, 3, padding=1, bias=False)
    ours = convert(nn.Sequential(layer), scheme=scheme, first="compressed")[0]
    ours.to(DEVICE, torch.float64).load_state_dict(exact.state_dict())
    x = images(2, 2, 8, dtype=torch.float64) + 1
    upstream = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(2)).to(x)
    (expected,) = torch.autograd.grad(exact(x), exact.weight, upstream)
    torch.manual_seed(0)
    samples = [torch.autograd.grad(ours(x), ours.weight, upstream)[0].clone() for _ in range(SEEDS)]
    assert not torch.equal(samples[0], samples[1])  # estimates
    check_mean(torch.stack(samples).cpu(), expected.cpu())


@pytest.mark.parametrize("scheme", ["independent", "multi", "orthogonal"])
@pytest.mark.parametrize("is_allowed", [True, False], ids=["tf32", "float32"])
def test_estimates_are_as_exact_as_convolutions_may_be(scheme: str, is_allowed: bool) -> None:
    """The same probes in float64 are what a float32 layer is held against."""
    _, ours = pair(scheme)
    x = images()
    with tf32(is_allowed):
        actual = step(ours, x)["weight"]
    _, double = pair(scheme, torch.float64)
    expected = step(double, x.double())["weight"]
    assert relative(actual, expected) < (5e-3 if is_allowed else 2e-5)


def test_tf32_is_what_the_flag_says() -> None:
    """The comparison of precisions rests on it: the flag changes what cuDNN computes."""
    if torch.cuda.get_device_capability() < (8, 0):
        pytest.skip("this GPU has no TF32")
    torch.manual_seed(0)
    layer = nn.Conv2d(64, 64, 3, padding=1).to(DEVICE)
    x = images(16, 64, 32)
    errors = {}
    for is_allowed in (True, False):
        with tf32(is_allowed), torch.no_grad():
            errors[is_allowed] = layer(x).double()
    with torch.no_grad():
        expected = layer.double()(x.double())
    assert relative(errors[False], expected) < 2e-5 < 1e-4 < relative(errors[True], expected)


@every_family
@every_scheme
def test_a_step_of_a_network(scheme: str, compress: tuple[str, ...]) -> None:
    model = convert(network(), scheme=scheme, compress=compress)
    found = step(model, images())
    assert found.keys() == {"output", "input", *(name for name, _ in model.named_parameters())}
    assert all(gradient.isfinite().all() for gradient in found.values())


@every_family
def test_outputs_of_a_network_are_the_exact_ones(compress: tuple[str, ...]) -> None:
    """Without dropout, whose mask a compressed layer may draw in another way."""
    exact = network()
    exact[7] = nn.Identity()
    x = images()
    with repeatable():
        expected = step(exact, x)["output"]
        actual = step(convert(exact, compress=compress), x)["output"]
        reverted = step(revert(exact), x)["output"]
    assert relative(actual, expected) < 1e-6
    assert torch.equal(reverted, expected)


@every_family
@every_scheme
def test_a_seed_decides_all_bits(scheme: str, compress: tuple[str, ...]) -> None:
    model = convert(network(), scheme=scheme, compress=compress)
    with repeatable():
        # A scheme may learn from the steps before: both start from a network as good as new.
        first = step(model, images(), seed=5)
        again = step(convert(network(), scheme=scheme, compress=compress), images(), seed=5)
    assert_same(again, first)


@every_scheme
def test_other_seeds_are_other_probes(scheme: str) -> None:
    _, ours = pair(scheme)
    x = images()
    assert relative(step(ours, x, seed=1)["weight"], step(ours, x, seed=2)["weight"]) > 1e-3


def test_an_exact_network_does_not_synchronise() -> None:
    """So that what the next test finds is ours."""
    model, x = network(), images().requires_grad_()
    model(x).square().sum().backward()
    with synchronising_is_an_error():
        model(x).square().sum().backward()


@every_family
@every_scheme
def test_no_synchronisation_is_added(scheme: str, compress: tuple[str, ...]) -> None:
    model = convert(network(), scheme=scheme, compress=compress)
    x = images().requires_grad_()
    for _ in range(3):
        model(x).square().sum().backward()
    with synchronising_is_an_error():
        model(x).square().sum().backward()
