"""Reversible networks: the exact gradients to rounding, with only outputs kept."""

import copy

import pytest
import torch
from torch import Tensor, nn

from xconv_bench.configuration import Configuration
from xconv_bench.errors import Unsupported
from xconv_bench.meters.saved import SavedMeter
from xconv_bench.methods import find_method
from xconv_bench.models import find
from xconv_bench.models.reversible import Coupling, ReversibleSequence


def invertible(model: nn.Module, name: str = "own") -> nn.Module:
    return find_method("invertible").apply(model, Configuration(name, "invertible"))


def sequence(couplings: int) -> ReversibleSequence:
    torch.manual_seed(0)

    def residual() -> nn.Module:
        return nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 3, 3, padding=1), nn.Tanh())

    return ReversibleSequence([Coupling(residual(), residual()) for _ in range(couplings)])


def gradients(model: nn.Module, input: Tensor) -> list[Tensor]:
    input = input.detach().requires_grad_()
    output = model(input)
    parameters = [p for p in model.parameters() if p.requires_grad]
    return [output, *torch.autograd.grad(output.square().sum(), [input, *parameters])]


@pytest.mark.parametrize("couplings", [0, 1, 4])
def test_gradients_and_buffers_of_a_sequence(couplings: int) -> None:
    model = sequence(couplings).double()
    if couplings:
        model[0].first[1].bias.requires_grad_(False)
    other = invertible(copy.deepcopy(model))
    input = torch.randn(2, 6, 5, 5, dtype=torch.float64)
    for one, two in zip(gradients(model, input), gradients(other, input), strict=True):
        assert torch.allclose(one, two, rtol=1e-10, atol=1e-12)
    # Running statistics were updated by the forward pass, and not again by what inverts it.
    for one, two in zip(model.buffers(), other.buffers(), strict=True):
        assert one.equal(two)


def test_the_input_follows_from_the_output() -> None:
    coupling = sequence(1).double()[0]
    x1, x2 = torch.randn(2, 2, 3, 5, 5, dtype=torch.float64)
    y1, y2 = coupling(x1, x2)
    assert torch.allclose(y2 - coupling.second(y1), x2)
    assert torch.allclose(y1 - coupling.first(x2), x1)


@pytest.mark.parametrize(("name", "size"), [("revnet38", 16), ("revnet110", 8), ("revnet50", 32)])
def test_whole_networks(name: str, size: int) -> None:
    torch.manual_seed(0)
    model = find(name).build(size).double().train()
    other = invertible(copy.deepcopy(model), name)
    input = torch.randn(2, 3, size, size, dtype=torch.float64)
    for one, two in zip(gradients(model, input), gradients(other, input), strict=True):
        assert torch.allclose(one, two, rtol=1e-6, atol=1e-6 * one.abs().max().item())
    for one, two in zip(model.buffers(), other.buffers(), strict=True):
        assert one.equal(two)


def saved_bytes(model: nn.Module, input: Tensor) -> int:
    meter = SavedMeter([*model.parameters(), *model.buffers()])
    with meter:
        output = model(input)
    reading = meter.reading["saved_bytes"]
    del output
    return reading


def test_however_long_it_is_it_keeps_its_output() -> None:
    input = torch.randn(2, 6, 8, 8).requires_grad_()
    for couplings in (1, 5):
        assert saved_bytes(invertible(sequence(couplings)), input) == 4 * input.numel()
    exact = [saved_bytes(sequence(couplings), input) for couplings in (1, 5)]
    assert exact[1] > 4 * exact[0] > 16 * input.numel()


def test_without_gradients_it_just_runs() -> None:
    model = invertible(sequence(2))
    with torch.no_grad():
        assert not model(torch.randn(1, 6, 4, 4)).requires_grad


def test_another_network_is_told_what_to_take() -> None:
    with pytest.raises(Unsupported, match=r"^resnet50 is not reversible.* --model revnet50 "):
        invertible(find("resnet50").build(64), "resnet50")
