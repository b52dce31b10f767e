"""Compiled networks: exact gradients to rounding, and less kept the smaller the budget."""

import copy
import importlib
from types import SimpleNamespace

import pytest
import torch
from heard import outcome_of
from own_networks import name
from torch import nn

from xconv_bench.configuration import Configuration
from xconv_bench.errors import Unsupported
from xconv_bench.measurement.counting import count
from xconv_bench.measurement.measure import Measurement
from xconv_bench.measurement.simulated import simulate
from xconv_bench.measurement.training import prepare
from xconv_bench.meters.gradient import SameRandomNumbers
from xconv_bench.meters.waiting import REMARK
from xconv_bench.methods import compile_budget, find_method
from xconv_bench.methods.compile_budget import _inductor

CELL = Configuration(name("plain"), "compile-budget", budget=0.5, batch_size=4, image_size=16)
BUDGETS = (1.0, 0.5, 0.01)


pytestmark = pytest.mark.usefixtures("compiler_as_before")


def compiled(model: nn.Module, budget: float) -> nn.Module:
    cell = Configuration("own", "compile-budget", budget=budget)
    return find_method("compile-budget").apply(copy.deepcopy(model), cell)


def step(model: nn.Module, input: torch.Tensor) -> tuple[float, list[torch.Tensor]]:
    model.zero_grad()
    with SameRandomNumbers(4):
        output = model(input)
        output.sum().backward()
    return float(output.detach().sum()), [p.grad for p in model.parameters()]


def dropping() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.5),
        nn.Conv2d(8, 8, 1, bias=False),
    )  # fmt: skip


@pytest.mark.parametrize("budget", BUDGETS)
def test_gradients_are_exact_and_dropout_is_not_drawn_twice(budget: float) -> None:
    """The output is linear in the last weight: their product with its gradient is the output."""
    model, input = dropping(), torch.randn(2, 3, 8, 8)
    exact_sum, exact = step(model, input)
    other = compiled(model, budget)
    for _ in range(2):
        found_sum, found = step(other, input)
        assert found_sum == pytest.approx(exact_sum, rel=1e-5)
        assert float((other[4].weight * found[-1]).detach().sum()) == pytest.approx(
            found_sum, rel=1e-4
        )
        for one, two in zip(exact, found, strict=True):
            assert torch.allclose(one, two, rtol=1e-4, atol=1e-5)


def test_on_a_gpu_inductor_divides_in_the_same_way() -> None:
    """As far as that can be seen on a CPU, which inductor compiles for too."""
    backend = _inductor()
    settings = importlib.import_module("torch._functorch.config")
    settings.activation_memory_budget = 0.01
    model, input = dropping(), torch.randn(2, 3, 8, 8)
    _, exact = step(model, input)
    other = copy.deepcopy(model)
    forward = other.forward
    other.forward = torch.compile(lambda image: forward(image), backend=backend)  # type: ignore
    _, found = step(other, input)
    for one, two in zip(exact, found, strict=True):
        assert torch.allclose(one, two, rtol=1e-4, atol=1e-5)


def test_less_is_kept_the_smaller_the_budget() -> None:
    saved = []
    for budget in BUDGETS:
        torch._dynamo.reset()
        training = prepare(
            Configuration("paper/cifar", "compile-budget", budget=budget, batch_size=4,
                          image_size=32)
        )  # fmt: skip
        training.step()
        saved.append(count(training).saved_bytes)
    exact = prepare(Configuration("paper/cifar", batch_size=4, image_size=32))
    assert saved[0] == count(exact).saved_bytes
    assert saved[1] < 0.6 * saved[0] and saved[2] < 0.1 * saved[0]


def test_a_row_says_what_it_is_and_that_it_cannot_be_simulated() -> None:
    outcome = outcome_of(Measurement(CELL, timed_steps=1))
    readings = outcome.readings
    assert readings["gradient_relative_error"] < 1e-6
    assert readings["saved_bytes"] < readings["live_peak_bytes"]
    assert "simulated_peak_bytes" not in readings
    said = outcome.message.removesuffix(f"; {REMARK}")  # beside other work
    assert said == "divided as torch.compile does it, with torch's own kernels: no fusion"
    with pytest.raises(Unsupported, match=r"^compile-budget cannot be simulated"):
        simulate(CELL)


def test_a_torch_without_a_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compile_budget.importlib, "import_module", lambda _: SimpleNamespace())
    with pytest.raises(Unsupported, match="no activation memory budget"):
        compiled(dropping(), 0.5)
    with pytest.raises(Unsupported, match="takes no partitioner"):
        _inductor()
