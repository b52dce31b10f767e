"""Methods together: xconv in checkpoints keeps what xconv alone keeps, for one block at a time."""

import copy
from typing import Any

import pytest
import torch
from statistics_checker import FEWEST_SAMPLES, check_mean
from torch import Tensor, nn

from xconv.schemes import SCHEMES
from xconv_bench.configuration import SIMULATED, Configuration
from xconv_bench.errors import UsageError
from xconv_bench.knobs import KNOBS
from xconv_bench.measurement.counting import Simulation, count
from xconv_bench.measurement.training import prepare
from xconv_bench.methods import find_method
from xconv_bench.models import find
from xconv_bench.models.reversible import Coupling, ReversibleSequence

ALL = "conv,relu,pool,act,dropout,norm,linear,functions"
VALUES = {
    "scheme": "spectral", "bits": 1.0, "keep": 0.3, "compress": ALL, "first": "exact",
    "norm_bits": 4,
}  # fmt: skip


def applied(method: str, model: nn.Module, **knobs: object) -> nn.Module:
    chosen = find_method(method)
    given = {name: {**VALUES, **knobs}.get(name) for name in chosen.knobs}
    return chosen.apply(model, Configuration("own", method, **chosen.settle(given)))


def block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.GELU(),
    )


def network(dropout: float = 0.0) -> nn.Sequential:
    torch.manual_seed(0)
    layers = [block(3, 4), block(4, 4), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Dropout(dropout)]
    return nn.Sequential(nn.Sequential(*layers), nn.AdaptiveAvgPool2d(1), nn.Flatten()).double()


def reversible() -> nn.Sequential:
    torch.manual_seed(0)
    sequence = ReversibleSequence([Coupling(block(2, 2), block(2, 2)) for _ in range(1)])
    return nn.Sequential(nn.Conv2d(3, 4, 1), sequence).double()


def images(*shape: int) -> Tensor:
    drawn = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return drawn.cumsum(-1)


def gradients(model: nn.Module, input: Tensor, seed: int = 5) -> Tensor:
    """Return the gradients of all parameters after one step, in one vector."""
    model.zero_grad()
    torch.manual_seed(seed)
    model(input).square().mean().backward()
    return torch.cat([p.grad.flatten() for p in model.parameters()])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_xconv_in_checkpoints_has_the_gradients_of_xconv(scheme: str) -> None:
    """To the last bit: dropout drops the same in both runs of a block, sketches keep the same."""
    dial = {SCHEMES[scheme].dial: {"probes": 4, "bits": 1.0, "keep": 0.3}[SCHEMES[scheme].dial]}
    alone = applied("xconv", network(0.3), scheme=scheme, **dial)
    both = applied("xconv+checkpoint", network(0.3), scheme=scheme, **dial)
    for seed in range(3):  # as plans change
        expected, found = (gradients(m, images(4, 3, 8, 8), seed) for m in (alone, both))
        assert found.equal(expected)
    assert all(one.equal(two) for one, two in zip(alone.buffers(), both.buffers(), strict=True))


def loss_of(output: Any) -> Tensor:
    """Return the loss of one output, or of a tuple of them."""
    return sum(
        each.square().mean() for each in ([output] if isinstance(output, Tensor) else output)
    )


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "googlenet"])
def test_running_statistics_and_loss_are_those_of_exact(name: str) -> None:
    torch.manual_seed(0)
    exact = find(name).build(64).train()
    for module in exact.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0  # ours moves the generator
    both = applied("xconv+checkpoint", copy.deepcopy(exact))
    for _ in range(2):
        losses = [loss_of(model(images(2, 3, 64, 64).float())) for model in (exact, both)]
        assert losses[0].equal(losses[1])
        losses[1].backward()
    assert list(exact.state_dict()) == list(both.state_dict())
    for (key, one), two in zip(exact.named_buffers(), both.buffers(), strict=True):
        assert one.equal(two), key


def test_gradients_are_unbiased_where_inputs_are_computed_again() -> None:
    """Every parameter's, below convolutions, normalisations and GELU."""
    exact = reversible()
    probed = {"scheme": "independent", "probes": 4, "first": "compressed"}
    model = applied("xconv+invertible", copy.deepcopy(exact), **probed)
    input = images(2, 3, 8, 8)
    samples = torch.stack([gradients(model, input, seed) for seed in range(FEWEST_SAMPLES)])
    expected = gradients(exact, input)
    assert samples.std(0).max() > 1e-3 * expected.abs().max()
    check_mean(samples, expected)


def test_it_takes_less_than_checkpoints_alone_and_live_is_simulated() -> None:
    """It need not take less than xconv alone: what enters a block stays exact."""

    def cell(name: str, device: str) -> Configuration:
        chosen = find_method(name)
        knobs = chosen.settle({knob: VALUES.get(knob) for knob in chosen.knobs})
        return Configuration("resnet18", name, batch_size=8, image_size=64, device=device, **knobs)

    simulated = Simulation(cell("xconv+checkpoint", SIMULATED)).count(8)
    alone = Simulation(cell("checkpoint", SIMULATED)).count(8)
    assert simulated.peak_bytes < alone.peak_bytes
    training = prepare(cell("xconv+checkpoint", SIMULATED))
    training.step()
    live = count(training)
    assert live.saved_bytes == simulated.saved_bytes
    assert live.peak_bytes == pytest.approx(simulated.peak_bytes, rel=1e-4)


REFUSED = {
    "checkpoint+xconv": "xconv has to come before checkpoint: write xconv+checkpoint",
    "offload+xconv": "xconv has to come before offload: write xconv+offload",
    "xconv+quantized": "xconv and quantized do not compose: measure them apart",
    "xconv+xconv": "xconv and xconv do not compose: measure them apart",
    "exact+checkpoint": "exact and checkpoint do not compose: measure them apart",
    "xconv+compile-budget": "xconv and compile-budget do not compose: measure them apart",
}


@pytest.mark.parametrize(("name", "words"), REFUSED.items())
def test_what_does_not_compose_is_refused(name: str, words: str) -> None:
    with pytest.raises(UsageError) as raised:
        find_method(name)
    assert str(raised.value) == f"--method {name}: {words}"


@pytest.mark.parametrize("name", ["nosuch", "xconv+nosuch", "xconv+", "+"])
def test_a_part_that_does_not_exist_is_named(name: str) -> None:
    with pytest.raises(UsageError, match="is unknown: choose from checkpoint, compile-budget"):
        find_method(name)


def test_knobs_are_those_of_both() -> None:
    both = find_method("xconv+checkpoint")
    assert both.name == "xconv+checkpoint" and both.is_simulated
    assert set(both.knobs) == {*find_method("xconv").knobs, *find_method("checkpoint").knobs}
    given = {**dict.fromkeys(KNOBS), **VALUES, "segments": 3}
    knobs = {name: given[name] for name in both.knobs}
    settled = both.settle(knobs)
    assert settled["segments"] == 3 and settled["keep"] is None and settled["bits"] == 1.0
    assert both.takes(knobs) and not both.takes({**knobs, "bits": 9.0})
