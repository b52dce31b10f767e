"""Offloaded networks: exact gradients, and in a simulation nothing left on the device."""

import copy

import pytest
import torch
from own_networks import name, normalized
from torch import nn

from xconv_bench.configuration import Configuration
from xconv_bench.errors import Unsupported
from xconv_bench.measurement.simulated import simulate
from xconv_bench.meters.gradient import SameRandomNumbers
from xconv_bench.methods import find_method

CELL = Configuration(name("normalized"), "offload", batch_size=4, image_size=12, device="simulated")


def step(model: nn.Module) -> list[torch.Tensor]:
    with SameRandomNumbers(1):
        torch.manual_seed(2)
        model(torch.randn(4, 3, 12, 12)).square().sum().backward()
    return [p.grad for p in model.parameters()]


def test_gradients_are_the_exact_ones() -> None:
    model = normalized()
    other = find_method("offload").apply(copy.deepcopy(model), CELL)
    assert all(one.equal(two) for one, two in zip(step(model), step(other), strict=True))


def test_in_a_simulation_it_is_gone() -> None:
    exact, offloaded = simulate(CELL.as_exact()), simulate(CELL)
    # What the loss keeps, which is no part of the network: log-probabilities and targets.
    assert offloaded["saved_bytes"] < 0.02 * exact["saved_bytes"]
    assert offloaded["simulated_peak_bytes"] < exact["simulated_peak_bytes"]


def test_on_the_cpu_there_is_nowhere_to_go() -> None:
    with pytest.raises(Unsupported, match=r"^offload moves what is saved .* take --device cuda"):
        find_method("offload").apply(normalized(), Configuration("own", "offload"))
