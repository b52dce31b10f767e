"""Modules of ``xconv.saved`` on a GPU: torch's outputs and draws, gradients or their mean."""

import pytest
import torch
from cuda_cases import DEVICE, synchronising_is_an_error
from saved_cases import Saved, assert_same_bits, every_case, every_exact, every_range, kept_bytes
from statistics_checker import FEWEST_SAMPLES, check_mean
from torch import Tensor, nn

pytestmark = pytest.mark.cuda

DTYPES = [torch.float32, torch.float16, torch.bfloat16]


def whole_numbers(output: Tensor) -> Tensor:
    """A gradient whose sums are exact, in whatever order a GPU adds them up."""
    numbers = torch.arange(output.numel(), device=output.device).remainder_(7).sub_(3)
    return numbers.to(output.dtype).view(output.shape)


def step(layer: nn.Module, x: Tensor) -> list[Tensor]:
    """Output and input gradient, drawn from the same seed each time."""
    leaf = x.clone().requires_grad_()
    torch.manual_seed(0)
    output = layer(leaf + 0)
    output.backward(whole_numbers(output))
    assert leaf.grad is not None
    return [output, leaf.grad]


@every_exact
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("last", [False, True], ids=["contiguous", "channels last"])
def test_outputs_and_gradients_are_torchs(case: Saved, dtype: torch.dtype, last: bool) -> None:
    exact, ours = case.pair()
    x = case.input(dtype=dtype, device=DEVICE)
    if last and x.dim() > 3:
        x = x.movedim(1, -1).contiguous().movedim(-1, 1)
    expected, actual = step(exact, x), step(ours, x)
    assert_same_bits(actual[0].cpu(), expected[0].cpu())
    assert actual[0].stride() == expected[0].stride()
    if case.family == "pool":  # whose quotients a GPU rounds before or after it adds them up
        torch.testing.assert_close(actual[1], expected[1])
    else:
        assert_same_bits(actual[1].cpu(), expected[1].cpu())


@every_case
def test_what_is_kept(case: Saved) -> None:
    exact, ours = case.pair()
    x = case.input(device=DEVICE).requires_grad_() + 0
    assert kept_bytes(ours, x) == case.kept(x.numel(), exact(x).shape)


@every_range
def test_rounded_slopes_are_unbiased(case: Saved) -> None:
    """At a point in the middle, where the chance of the upper level is never small."""
    exact, ours = case.pair()
    x = torch.tensor([-0.83, -0.4, 0.37], device=DEVICE, dtype=torch.float64)
    leaf = x.clone().requires_grad_()
    (expected,) = torch.autograd.grad(exact(leaf).sum(), leaf)
    many = x.repeat(100 * FEWEST_SAMPLES, 1).requires_grad_()
    torch.manual_seed(0)
    (samples,) = torch.autograd.grad(ours(many).sum(), many)
    check_mean(samples.view(-1, 100, 3).mean(1).cpu(), expected.cpu())


@every_case
def test_no_synchronisation_is_added(case: Saved) -> None:
    _, ours = case.pair()
    x = case.input(device=DEVICE).requires_grad_()
    ours(x).square().sum().backward()
    with synchronising_is_an_error():
        ours(x).square().sum().backward()


@every_exact
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_large_tensors_go_by_parts(case: Saved, dtype: torch.dtype) -> None:
    """More than a part has, on a GPU."""
    exact, ours = case.pair()
    x = case.input(dtype=dtype, device=DEVICE).repeat(64, 128, *(1 for _ in case.shape[2:]))
    expected, actual = step(exact, x), step(ours, x)
    assert_same_bits(actual[0].cpu(), expected[0].cpu())
    torch.testing.assert_close(actual[1], expected[1])
