"""PReLU, what ``convert`` takes for activations, and where swapping them loses."""

import pytest
import torch
from saved_cases import assert_same_bits, kept_bytes
from statistics_checker import FEWEST_SAMPLES, check_mean
from torch import Tensor, nn

from xconv import account, convert
from xconv.saved.act import XGELU

SHAPES = {
    "matrix": (6, 5),
    "line": (2, 5, 70),
    "image": (2, 5, 9, 31),
    "volume": (2, 5, 3, 4, 5),
}
every_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
one_or_each = pytest.mark.parametrize("parameters", [1, 5], ids=["one", "each"])


def prelus(parameters: int, bits: int = 4, **kwargs: torch.dtype) -> list[nn.Module]:
    layers = [nn.PReLU(parameters, **kwargs) for _ in range(2)]
    for layer in layers:
        layer.weight.data.copy_(torch.linspace(-0.2, 0.4, parameters))
    return [layers[0], convert(nn.Sequential(layers[1]), compress=["act"], act_bits=bits)[0]]


def image(shape: tuple[int, ...], last: bool = False) -> Tensor:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    x.view(-1)[::7] = 0
    return x.movedim(1, -1).contiguous().movedim(-1, 1) if last else x


def output_gradient(x: Tensor) -> Tensor:
    return torch.randn(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(2))


def step(layer: nn.Module, x: Tensor) -> list[Tensor]:
    """Output and gradients of the input and the weight."""
    leaf = x.clone().requires_grad_()
    output = layer(leaf + 0)
    found = torch.autograd.grad(output, [leaf, layer.weight], output_gradient(x))
    return [output, *found]


@every_shape
@one_or_each
@pytest.mark.parametrize("last", [False, True], ids=["contiguous", "channels last"])
def test_the_weight_of_a_prelu_has_an_unbiased_gradient(
    parameters: int, shape: tuple[int, ...], last: bool
) -> None:
    exact, ours = prelus(parameters, dtype=torch.float64)
    x = image(shape, last)
    output, theirs, weight = step(exact, x)
    torch.manual_seed(0)
    samples = []
    for _ in range(FEWEST_SAMPLES if len(shape) == 3 else 30):
        found = step(ours, x)
        assert_same_bits(found[0], output)
        assert_same_bits(found[1], theirs)
        samples.append(found[2])
    if len(samples) >= FEWEST_SAMPLES:
        check_mean(torch.stack(samples), weight)
    spread = (torch.stack(samples) - weight).abs().max()
    assert 0 < spread <= output_gradient(x).abs().sum() * x.abs().max() / 14


@pytest.mark.parametrize("bits", [4, 8])
def test_what_a_prelu_keeps(bits: int) -> None:
    _, ours = prelus(5, bits)
    x = image((2, 5, 9, 31)).float().requires_grad_() + 0
    count, weight = x.numel(), ours.weight.nbytes
    groups = -(-count // 256)
    assert kept_bytes(ours, x) == -(-count // 8) * bits + 4 * groups + weight
    ours.weight.requires_grad_(False)
    assert kept_bytes(ours, x) == -(-count // 8) + weight


def test_a_frozen_prelu_is_exact() -> None:
    found = []
    for layer in prelus(5):
        layer.weight.requires_grad_(False)
        leaf = image((2, 5, 9, 31)).float().requires_grad_()
        layer(leaf + 0).pow(2).sum().backward()
        found.append(leaf.grad)
    assert_same_bits(found[1], found[0])


@pytest.mark.parametrize("shape", [(0, 5), (0, 5, 2), (2, 5, 0)], ids=str)
def test_a_prelu_of_nothing(shape: tuple[int, ...]) -> None:
    for layer in prelus(5):
        layer(torch.empty(shape, requires_grad=True)).sum().backward()
        assert not layer.weight.grad.any()


def test_a_prelu_under_autocast() -> None:
    found = []
    for layer in prelus(5):
        leaf = image((2, 5, 9, 31)).float().requires_grad_()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            output = layer(leaf + 0)
        output.float().sum().backward()
        found.append((output, leaf.grad))
        assert layer.weight.grad.dtype == torch.float32
    for ours, theirs in zip(found[1], found[0], strict=True):
        assert_same_bits(ours, theirs)


def test_derivatives_of_a_prelu() -> None:
    """Its input gradient has torch's, its weight gradient none, and says so."""
    found = []
    for layer in prelus(5):
        leaf = image((2, 5, 6)).float().requires_grad_()
        (first,) = torch.autograd.grad(layer(leaf).pow(2).sum(), leaf, create_graph=True)
        found.append(torch.autograd.grad(first.pow(2).sum(), [leaf, layer.weight])[0])
    torch.testing.assert_close(found[1], found[0])
    (gradient,) = torch.autograd.grad(layer(leaf).pow(2).sum(), layer.weight, create_graph=True)
    with pytest.raises(RuntimeError, match=r"PReLU's weight .* has no derivative"):
        gradient.sum().backward()


def test_what_is_not_finite_shows_in_the_gradient_of_a_prelu() -> None:
    _, ours = prelus(1)
    x = image((2, 5, 70)).float()
    x[0, 0, 0] = -torch.inf
    assert not step(ours, x)[2].isfinite().any()


def test_a_prelu_compiled_in_one_graph() -> None:
    torch._dynamo.reset()
    _, ours = prelus(5)
    x = image((2, 5, 9, 31)).float()
    found = []
    for run in (ours, torch.compile(ours, backend="aot_eager", fullgraph=True)):
        torch.manual_seed(0)
        ours.zero_grad()
        leaf = x.clone().requires_grad_()
        run(leaf + 0).square().sum().backward()
        found.append((leaf.grad, ours.weight.grad.clone()))
    torch.testing.assert_close(found[1], found[0])


@pytest.mark.parametrize("bits", [4, 8])
def test_bits_of_slopes_can_be_chosen(bits: int) -> None:
    model = convert(nn.Sequential(nn.GELU(), nn.ReLU6()), compress=["act"], act_bits=bits)
    assert [entry.reason for entry in account(model)] == [
        f"{bits} bits an element, unbiased",
        "one bit an element",
    ]
    x = torch.randn(64, requires_grad=True) + 0
    assert kept_bytes(model[0], x) == kept_bytes(XGELU(bits=bits), x) == 64 * bits // 8 + 4


@pytest.mark.parametrize("bits", [0, 3, 16, True, 4.5, "4"])
def test_others_are_refused(bits: int) -> None:
    with pytest.raises(ValueError, match=r"act_bits must be 4 or 8; got"):
        convert(nn.Sequential(nn.GELU()), act_bits=bits)
    with pytest.raises(ValueError, match=r"act_bits must be 4 or 8; got"):
        XGELU(bits=bits)


def network(activation: nn.Module, before: nn.Module, behind: nn.Module) -> nn.Sequential:
    return nn.Sequential(before, activation, behind)


def saved_in(compress: list[str], activation: nn.Module, linear: bool) -> int:
    layers = [nn.Linear(16, 16), nn.Linear(16, 16)] if linear else [
        nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)]  # fmt: skip
    model = convert(network(activation, *layers), compress=compress, first="compressed")
    x = torch.randn(64, 16) if linear else torch.randn(2, 8, 16, 16)
    return kept_bytes(model, x)


def test_between_convolutions_the_tensor_goes() -> None:
    for activation in (nn.GELU(), nn.Tanh(), nn.LeakyReLU()):
        kept = saved_in(["conv", "act"], activation, linear=False)
        alone = saved_in(["conv"], nn.Identity(), linear=False)
        elements = 2 * 8 * 16 * 16
        assert kept - alone in (elements // 8, elements // 2 + 4)


@pytest.mark.parametrize(("activation", "gain"), [(nn.Tanh, -1), (nn.GELU, 1)])
def test_before_a_layer_that_keeps_its_input_a_kept_output_stays(
    activation: type[nn.Module], gain: int
) -> None:
    """Tanh keeps its output, which the linear layer keeps too: swapping adds to it. GELU keeps its
    input, which nobody else does."""
    exact = saved_in([], activation(), linear=True)
    ours = saved_in(["act"], activation(), linear=True)
    elements = 64 * 16
    assert ours - exact == (elements // 2 + 4 if gain < 0 else elements // 2 + 4 - 4 * elements)
