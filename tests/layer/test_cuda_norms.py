"""Normalisations on a GPU, where torch has kernels of its own and cuDNN's for them."""

import pytest
import torch
from cuda_cases import DEVICE, relative
from norm_cases import NORMS, Norm
from torch import Tensor, nn

pytestmark = pytest.mark.cuda

TOLERANCE = {torch.float32: 0.03, torch.bfloat16: 0.06, torch.float16: 0.04}
"""Tolerance of gradients at eight bits an element."""

every_norm = pytest.mark.parametrize("norm", NORMS.values(), ids=NORMS)
every_dtype = pytest.mark.parametrize("dtype", TOLERANCE, ids=str)


def step(norm: Norm, layer: nn.Module, dtype: torch.dtype) -> list[Tensor]:
    input = norm.input(dtype).detach().to(DEVICE).requires_grad_()
    output = layer(input)
    wanted = [input, *layer.parameters()]
    return [output, *torch.autograd.grad(output, wanted, norm.output_gradient(dtype).to(DEVICE))]


@every_norm
@every_dtype
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluating"])
def test_all_but_gradients_is_torch_s(norm: Norm, dtype: torch.dtype, training: bool) -> None:
    exact, ours = (layer.train(training).to(DEVICE) for layer in norm.pair(8, dtype))
    expected, found = step(norm, exact, dtype), step(norm, ours, dtype)
    assert found[0].equal(expected[0]) and found[0].stride() == expected[0].stride()
    for actual, gradient in zip(found[1:], expected[1:], strict=True):
        assert actual.dtype == gradient.dtype
        assert relative(actual, gradient) < TOLERANCE[dtype]
    for name, value in exact.state_dict().items():
        assert ours.state_dict()[name].equal(value), name


@every_norm
def test_autocast_is_torch_s(norm: Norm) -> None:
    """Autocast runs some of them in float32 on a GPU, and leaves others alone."""
    exact, ours = (layer.to(DEVICE) for layer in norm.pair(8, torch.float32))
    found = []
    for layer in (exact, ours):
        x = norm.input(torch.float16).detach().to(DEVICE).requires_grad_()
        with torch.autocast("cuda", dtype=torch.float16):
            output = layer(x)
        output.float().sin().sum().backward()
        found.append((output, x.grad))
    assert found[1][0].dtype == found[0][0].dtype and found[1][0].equal(found[0][0])
    assert found[1][1].dtype == torch.float16
    assert relative(found[1][1], found[0][1]) < 0.05
