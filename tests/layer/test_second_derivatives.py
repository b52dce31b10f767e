"""An exact gradient can be differentiated again; an estimated one says that it cannot be."""

import pytest
import torch
from layer_cases import KINDS, Kind, how, images, small_network
from statistics_checker import FEWEST_SAMPLES, check_mean
from torch import Tensor, nn

from xconv import BitReLU, XConv2d, convert
from xconv.schemes import SCHEMES

all_kinds = pytest.mark.parametrize("kind", KINDS, ids=str)


def critic(dtype: torch.dtype = torch.float64) -> nn.Sequential:
    """Convolutions of all sorts with ReLUs between."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 8, 4, 2, padding=2, padding_mode="reflect"),
        nn.ReLU(),
        nn.ConvTranspose2d(8, 4, 3, 2, padding=1, output_padding=1, groups=2),
        nn.ReLU(inplace=True),
        nn.Conv2d(4, 4, 3, dilation=2, padding=1, padding_mode="circular"),
        nn.Conv2d(4, 1, 2, padding="same"),
    ).to(dtype)


def penalty(model: nn.Module, input: Tensor) -> Tensor:
    """(‖d critic / d input‖ - 1)²: the gradient that comes in is the constant 1."""
    input = input.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(input).sum(), input, create_graph=True)
    return (gradient.flatten(1).norm(dim=1) - 1).square().sum()


def gradients_of(loss: Tensor, model: nn.Module) -> list[Tensor]:
    """Return those of all parameters; one that a loss does not reach has a gradient of 0."""
    found = torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)
    return [
        torch.zeros_like(p) if g is None else g
        for g, p in zip(found, model.parameters(), strict=True)
    ]


needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=needs_cuda)])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_gradient_penalty_is_torch_s(scheme: str, device: str) -> None:
    x = images().double().to(device)
    exact, ours = critic().to(device), convert(critic().to(device), **how(scheme))
    expected, actual = penalty(exact, x), penalty(ours, x)
    torch.testing.assert_close(actual, expected)
    gradients = gradients_of(expected, exact)
    assert min(float(g.abs().max()) for g in gradients[::2]) > 0.01
    torch.testing.assert_close(gradients_of(actual, ours), gradients)


@all_kinds
def test_of_every_layer_with_gradients_that_depend_on_the_input(kind: Kind) -> None:
    """Frozen, so that the weight's part is not in it, the layer has every derivative."""
    exact, ours = kind.pair(4, 4, 3, stride=2, padding=1, dtype=torch.float64)
    found = []
    for layer in (exact, ours):
        layer.weight.requires_grad_(False)
        x = kind.images(dtype=torch.float64).requires_grad_()
        loss = layer(x).sin().sum()
        (first,) = torch.autograd.grad(loss, x, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), x, create_graph=True)
        (third,) = torch.autograd.grad(second.square().sum(), x)
        found.append((first, second, third))
    torch.testing.assert_close(found[1], found[0])


@all_kinds
def test_torch_checks_the_derivatives_of_weight_bias_and_output_gradient(kind: Kind) -> None:
    """By finite differences: the input gradient, as a function of all that it depends on."""
    _, ours = kind.pair(2, 2, 2, probes=2, dtype=torch.float64)
    shape = (1, 2, *(3 for _ in kind.pixels))
    x = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x.requires_grad_()
    delta = torch.randn_like(ours(x)).requires_grad_()

    def input_gradient(weight: Tensor, delta: Tensor) -> Tensor:
        output = torch.func.functional_call(ours, {"weight": weight}, (x,))
        return torch.autograd.grad(output, x, delta, create_graph=True)[0]

    assert torch.autograd.gradcheck(input_gradient, (ours.weight, delta))


def test_the_part_through_the_forward_pass_is_estimated_without_bias() -> None:
    """A penalty on a smooth critic reaches weights through outputs, too, by way of the sketch."""
    exact = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Softplus(), nn.Conv2d(4, 1, 3)).double()
    x = images(2, side=6).double()
    expected = gradients_of(penalty(exact, x), exact)[0]
    ours = convert(exact, probes=4)
    samples = []
    for seed in range(FEWEST_SAMPLES):
        torch.manual_seed(seed)
        samples.append(gradients_of(penalty(ours, x), ours)[0])
    check_mean(torch.stack(samples), expected)


@pytest.mark.parametrize("inplace", [False, True], ids=["copy", "inplace"])
def test_bit_relu(inplace: bool) -> None:
    x = torch.randn(3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = []
    for relu in (nn.ReLU(inplace), BitReLU(inplace)):
        leaf = x.clone().requires_grad_()
        loss = relu(leaf * 2).pow(3).sum()
        (first,) = torch.autograd.grad(loss, leaf, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), leaf)
        found.append((first, second))
    torch.testing.assert_close(found[1], found[0])
    assert found[0][1].any()


def weight_gradient(loss: str, scheme: str) -> tuple[XConv2d, Tensor]:
    layer = XConv2d(3, 8, 3, **how(scheme))
    output = layer(images())
    value = output.sum() if loss == "linear" else output.square().sum()
    (gradient,) = torch.autograd.grad(value, layer.weight, create_graph=True)
    return layer, gradient


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("loss", ["linear", "square"])
def test_an_estimated_gradient_says_that_it_has_no_derivative(loss: str, scheme: str) -> None:
    """Also where the incoming gradient is a constant."""
    layer, gradient = weight_gradient(loss, scheme)
    assert gradient.requires_grad
    with pytest.raises(RuntimeError, match=r"estimated weight gradient.*leave this layer exact"):
        torch.autograd.grad(gradient.sum(), layer.weight)


def test_through_a_network_and_autocast_it_says_so_too() -> None:
    model = convert(small_network(), probes=2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = model(images()).float().square().sum()
    gradients = torch.autograd.grad(loss, list(model.parameters()), create_graph=True)
    with pytest.raises(RuntimeError, match="estimated weight gradient"):
        sum(g.square().sum() for g in gradients).backward()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_backward_pass_with_a_graph_gives_the_same_gradients(scheme: str) -> None:
    model = convert(small_network(), first="compressed", **how(scheme))
    found = []
    for create_graph in (False, True):
        torch.manual_seed(1)
        loss = model(images()).square().sum()
        found.append(torch.autograd.grad(loss, list(model.parameters()), create_graph=create_graph))
    torch.testing.assert_close(found[1], found[0])
