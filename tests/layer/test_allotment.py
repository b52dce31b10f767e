"""The bytes that a network keeps, divided among its layers by schemes without a spectral plan."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import xconv
from xconv.spectrum.allotment import in_steps, reciprocal
from xconv_bench.meters.saved import SavedMeter

positive = st.floats(1e-6, 1e6)
layers = st.lists(st.tuples(positive, st.integers(1, 10**6)), min_size=1, max_size=6)


@given(layers, st.floats(1, 100))
def test_amounts_keep_to_the_mean_and_no_equal_ones_are_better(
    several: list[tuple[float, int]], mean: float
) -> None:
    variances, costs = [v for v, _ in several], [float(c) for _, c in several]
    found = reciprocal(variances, costs, mean, 1.0, [1e9] * len(several))
    assert sum(c * k for c, k in zip(costs, found, strict=True)) <= mean * sum(costs) * (1 + 1e-6)
    loss = sum(v / k for v, k in zip(variances, found, strict=True))
    assert loss <= sum(variances) / mean * (1 + 1e-3)


def test_amounts_follow_the_square_root_of_variance_over_cost() -> None:
    assert reciprocal([4.0, 1.0], [1.0, 1.0], 3.0, 0.1, [99.0, 99.0]) == pytest.approx([4, 2])
    assert reciprocal([4.0, 1.0], [1.0, 1.0], 3.0, 0.1, [2.0, 99.0]) == pytest.approx([2, 4])
    assert reciprocal([1e9, 1.0], [1.0, 1.0], 3.0, 1.0, [99.0, 99.0]) == pytest.approx([5, 1])


@given(layers, st.sampled_from([1, 2, 4, 8]))
def test_levels_keep_to_the_mean(several: list[tuple[float, int]], mean: int) -> None:
    variances, costs = [v for v, _ in several], [float(c) for _, c in several]
    levels, noises = (1, 2, 4, 8), (1.0, 1 / 9, 1 / 225, 1 / 65025)
    found = in_steps(variances, costs, mean, levels, noises)
    assert set(found) <= set(levels)
    assert sum(c * b for c, b in zip(costs, found, strict=True)) <= mean * sum(costs) * (1 + 1e-9)


def test_levels_rise_where_it_gains_most() -> None:
    assert in_steps([1.0, 100.0], [1.0, 1.0], 2.5, (1, 2, 4), (1.0, 0.1, 0.01)) == [1, 4]


def network() -> tuple[nn.Module, Tensor]:
    """Two layers of which one has most of the elements and the other most of the variance."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(),
        nn.MaxPool2d(4), nn.Conv2d(8, 64, 3, padding=1), nn.ReLU(), nn.Flatten(),
        nn.Linear(64 * 64, 4),
    )  # fmt: skip
    return model, torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def weights(model: nn.Module) -> list[Tensor]:
    return [m.weight for m in model if isinstance(m, nn.Conv2d)]


def step(model: nn.Module, input: Tensor) -> tuple[Tensor, int]:
    """Gradients of all convolutions, and what was kept, in bytes."""
    meter = SavedMeter(model.parameters())
    with meter:
        loss = model(input).square().mean()
    kept = meter.reading["saved_bytes"]
    gradients = torch.autograd.grad(loss, weights(model))
    return torch.cat([g.flatten() for g in gradients]), kept


CASES: dict[str, dict[str, Any]] = {
    "quantized": {"scheme": "quantized", "bits": 4},
    "independent": {"scheme": "independent", "probes": 16},
    "sampling": {"scheme": "sampling", "keep": 0.1},
}


@pytest.mark.parametrize("how", CASES.values(), ids=CASES)
def test_a_network_that_divides_keeps_no_more_and_errs_less(how: dict[str, Any]) -> None:
    model, input = network()
    exact = torch.autograd.grad(model(input).square().mean(), weights(model))
    truth = torch.cat([g.flatten() for g in exact])
    errors, kept = {}, {}
    for allot in ("layer", "network"):
        torch.manual_seed(0)
        xconv.convert(model, **how, allot=allot)
        for _ in range(3):  # so that it has been seen what the layers need
            step(model, input)
        found = [step(model, input) for _ in range(24)]
        errors[allot] = float(sum((g - truth).square().sum() for g, _ in found))
        kept[allot] = max(size for _, size in found)
    assert errors["network"] <= errors["layer"]
    assert errors["network"] < errors["layer"] or how["scheme"] == "quantized"
    assert kept["network"] <= kept["layer"] * 1.02


def test_spectral_layers_can_have_the_same_bits_each() -> None:
    model, input = network()
    xconv.convert(model, scheme="spectral", bits=1, allot="layer")
    for _ in range(3):
        step(model, input)
    members = [m._xconv.member for m in model if isinstance(m, nn.Conv2d)]
    plans = [member.plan for member in members[1:]]
    assert len({id(member.budget) for member in members}) == len(members)
    for plan in plans:
        assert plan.bits_a_block / plan.order.numel() == pytest.approx(1, rel=0.1)


def test_another_word_is_refused() -> None:
    with pytest.raises(ValueError, match="allot must be 'network' or 'layer'; got 'all'"):
        xconv.convert(nn.Conv2d(1, 1, 1), allot="all")
