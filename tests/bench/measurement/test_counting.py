"""Counted for real and simulated: the same bytes; and the figures that were published."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from own_networks import name
from torch import Tensor, nn

from xconv_bench.configuration import SIMULATED, Configuration
from xconv_bench.data import Batch
from xconv_bench.measurement.counting import Count, count
from xconv_bench.measurement.simulated import simulate
from xconv_bench.measurement.training import Training, prepare
from xconv_bench.objectives.automatic import AutomaticObjective

MIB = 2**20

EXACT = Configuration("", batch_size=3, image_size=12)
PROBED = replace(EXACT, method="xconv", scheme="independent", probes=2, compress="conv,relu")
METHODS = {
    "exact": EXACT,
    "independent": PROBED,
    "conv": replace(PROBED, compress="conv"),
    "relu": replace(PROBED, scheme=None, probes=None, compress="relu"),
    "multi": replace(PROBED, scheme="multi", probes=64),
    "orthogonal": replace(PROBED, scheme="orthogonal", probes=64),
}


def counted(configuration: Configuration) -> Count:
    training = prepare(configuration)
    training.step()
    return count(training)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("network", ["plain", "normalized", "residual"])
def test_simulated_is_live(network: str, method: str) -> None:
    configuration = replace(METHODS[method], model=name(network))
    live = counted(configuration)
    simulated = simulate(replace(configuration, device=SIMULATED))
    assert simulated["simulated_peak_bytes"] == live.peak_bytes > 0
    assert simulated["saved_bytes"] == live.saved_bytes > 0


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
@pytest.mark.parametrize("model", ["paper/cifar", "paper/unet", "squeezenet1_1", "resnet18"])
def test_simulated_is_live_for_known_networks(model: str, dtype: str) -> None:
    configuration = Configuration(
        model, "xconv", "multi", 4, "rademacher", "conv,relu",
        batch_size=2, image_size=32, dtype=dtype,
    )  # fmt: skip
    live = counted(configuration)
    simulated = simulate(configuration)
    assert simulated["simulated_peak_bytes"] == live.peak_bytes
    assert simulated["saved_bytes"] == live.saved_bytes


@pytest.mark.parametrize(
    ("model", "batch_size", "image_size", "probes", "exact_mib", "probed_mib"),
    [("squeezenet1_0", 78, 512, 16, 15083, 7000), ("resnet50", 64, 224, 8, 5439, 3600)],
    ids=["SqueezeNet", "ResNet-50"],
)
def test_published_figures(
    model: str, batch_size: int, image_size: int, probes: int, exact_mib: int, probed_mib: int
) -> None:
    exact = Configuration(model, batch_size=batch_size, image_size=image_size)
    probed = replace(PROBED, model=model, probes=probes)
    probed = replace(probed, batch_size=batch_size, image_size=image_size)
    assert simulate(exact)["simulated_peak_bytes"] / MIB == pytest.approx(exact_mib, rel=0.005)
    assert simulate(probed)["simulated_peak_bytes"] / MIB <= probed_mib


def test_a_batch_that_no_machine_holds() -> None:
    large = Configuration("squeezenet1_0", batch_size=4096, image_size=1024)
    small = replace(large, batch_size=1)
    readings = simulate(large)
    assert readings["saved_bytes"] > 2**41
    # All that is saved is saved for each image, but for what the loss keeps.
    each = simulate(small)["saved_bytes"]
    assert readings["saved_bytes"] == pytest.approx(4096 * each, rel=1e-4)


def test_simulated_sizes() -> None:
    readings = simulate(Configuration("resnet18", batch_size=2, image_size=32))
    assert (readings["parameters"], readings["convolutions"]) == (11_689_512, 20)


class Recorder(Training):
    """Writes down what happens, and whether there are gradients at that time."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        object.__setattr__(self, "events", [])

    def note(self, what: str) -> None:
        there = any(parameter.grad is not None for parameter in self.model.parameters())
        self.events.append((what, there))  # type: ignore[attr-defined]

    def forward(self) -> Tensor:
        self.note("forward")
        return super().forward()

    def zero_grad(self) -> None:
        self.note("zero_grad")
        super().zero_grad()

    def backward(self, loss: Tensor) -> None:
        self.note("backward")
        super().backward(loss)


class PeaksInForward(nn.Linear):
    """Needs a MiB for a moment of the forward pass, and little afterwards."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input) + torch.zeros(MIB // 4).sum()


def recorder() -> Recorder:
    model = PeaksInForward(256, 2, bias=False)
    return Recorder.of(
        model, Batch(torch.zeros(4, 256), torch.zeros(4).long()), AutomaticObjective()
    )


def test_the_step_is_that_of_training() -> None:
    training = recorder()
    training.step()
    training.events.clear()  # type: ignore[attr-defined]
    count(training)
    assert training.events == [  # type: ignore[attr-defined]
        ("forward", True),
        ("zero_grad", True),
        ("backward", False),
    ]


def test_gradients_of_the_step_before_live_through_the_forward_pass() -> None:
    training = recorder()
    first = count(training)
    second = count(training)
    assert second.peak_bytes - first.peak_bytes == 4 * 256 * 2
    assert second == count(training)
