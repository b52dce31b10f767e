"""Layers of one network share one price of a bit, and learn what they need as they are used."""

import copy
import pickle
from collections.abc import Callable
from math import prod
from typing import Any

import pytest
import torch
from layer_cases import assert_same, gradients, images, small_network
from statistics_checker import check_mean
from torch import Tensor, nn

from xconv import XConv2d, convert
from xconv.budget import Member
from xconv.modules import set_probing
from xconv.spectrum.plan import BlockPlan

RENEWED = [2, 3, 5, 9, 17, 33, 65, 129]
"""Calls that have a new plan: those after the calls that are looked at."""


def network(bits: float = 0.5) -> nn.Sequential:
    return convert(small_network(), bits=bits, first="compressed")


def member(layer: Any) -> Member:
    found: Member = layer._xconv.member
    return found


def members(model: nn.Module) -> list[Member]:
    return [member(layer) for layer in model.modules() if isinstance(layer, XConv2d)]


def train(model: nn.Module, steps: int, start: int = 0, **size: int) -> None:
    for seed in range(start, start + steps):
        gradients(model, images(**size), seed=seed)


def same(one: BlockPlan | None, other: BlockPlan | None) -> bool:
    if one is None or other is None:
        return one is other
    return (
        one.counts == other.counts
        and one.order.equal(other.order)
        and one.probabilities.equal(other.probabilities)
    )


def test_plans_are_renewed_after_1_2_4_calls_and_so_on() -> None:
    model = network()
    changed, before = [], None
    for call in range(1, 140):
        torch.manual_seed(call)
        output = model(images())
        plan = member(model[3]).plan
        if plan is not before:
            changed.append(call)
        before = plan
        output.square().sum().backward()
    assert changed == RENEWED
    assert member(model[0]).budget.renewals == len(RENEWED)  # all layers at once


def test_members_of_a_network_share_a_budget_and_layers_alone_do_not() -> None:
    one, other = members(network())
    assert one.budget is other.budget and one.budget.members == [one, other]
    alone, another = XConv2d(3, 4, 3), XConv2d(3, 4, 3)
    assert member(alone).budget is not member(another).budget
    assert XConv2d(3, 4, 3, probes=4)._xconv.member is None


@pytest.mark.parametrize("bits", [0.25, 0.5, 2])
def test_the_average_over_layers_is_kept(bits: float) -> None:
    model = network(bits)
    train(model, 6)
    plans = [(each.plan, each) for each in members(model)]
    assert all(plan is not None for plan, _ in plans)
    spent = sum(
        p.bits_a_block * m.shape[0] * m.shape[1] * m.blocks.number
        for p, m in plans
        if p and m.blocks
    )
    elements = sum(prod(m.shape) for _, m in plans)
    assert 0.9 * bits * elements <= spent <= bits * elements


def test_what_matters_more_gets_more_bits() -> None:
    """Two layers alike, one of which has a gradient a hundred times as large."""

    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.one, self.other = (nn.Conv2d(3, 4, 3, padding=1) for _ in range(2))

        def forward(self, x: Tensor) -> Tensor:
            return self.one(x) + 100 * self.other(x)

    model = convert(Two(), bits=1, first="compressed")
    train(model, 3)
    one, other = (member(layer).plan for layer in (model.one, model.other))
    assert other.bits_a_block > 2 * one.bits_a_block


def test_another_size_of_images_starts_anew() -> None:
    model = network()
    train(model, 3)
    first = member(model[3])
    assert first.plan is not None and first.blocks.pixels == (16, 16)
    torch.manual_seed(0)
    output = model(images(side=12))
    assert first.plan is None and first.blocks.pixels == (12, 12)
    output.sum().backward()
    train(model, 2, start=10, side=12)
    assert first.plan is not None and first.plan.order.numel() == 144


def test_a_module_called_twice_learns_from_both_calls() -> None:
    layer = XConv2d(4, 4, 3, padding=1, bits=0.5)
    model = nn.Sequential(layer, nn.ReLU(), layer)
    for seed in range(4):
        found = gradients(model, images(channels=4), seed=seed)
        assert found["0.weight"].isfinite().all()
    assert member(layer).plan is not None and member(layer).calls == 8


def pickled(model: nn.Module) -> nn.Module:
    return pickle.loads(pickle.dumps(model))


@pytest.mark.parametrize("way", [copy.deepcopy, pickled], ids=lambda f: f.__name__)
def test_a_copy_goes_on_as_the_original_would_and_leaves_it_alone(
    way: Callable[[nn.Module], nn.Module],
) -> None:
    model = network()
    train(model, 3)
    plans = [each.plan for each in members(model)]
    twin = way(model)
    assert member(twin[0]).budget is member(twin[3]).budget is not member(model[0]).budget
    assert all(map(same, [each.plan for each in members(twin)], plans))
    train(twin, 4, start=3)
    assert [each.plan for each in members(model)] == plans
    assert [each.calls for each in members(model)] == [3, 3]
    train(model, 4, start=3)
    assert all(
        same(one.plan, other.plan) for one, other in zip(members(model), members(twin), strict=True)
    )
    assert_same(gradients(twin, images(), seed=9), gradients(model, images(), seed=9))


def test_nothing_of_it_is_in_the_state_dict() -> None:
    model = network()
    train(model, 2)
    assert model.state_dict().keys() == small_network().state_dict().keys()


def test_a_repeated_seed_repeats_the_gradient() -> None:
    """Though the plan has changed since: what ran again, a checkpoint for example, is the same."""
    model = network()
    first = gradients(model, images(), seed=0)
    train(model, 5, start=1)
    assert_same(gradients(model, images(), seed=0), first)
    assert not torch.equal(gradients(model, images(), seed=9)["3.weight"], first["3.weight"])


def test_the_same_seed_before_every_step_learns_nothing_and_repeats_the_error() -> None:
    """Another seed learns again; over seeds the mean is exact, whatever was repeated before."""
    layer = XConv2d(2, 2, 3, padding=1, bits=1.0)
    x = torch.randn(1, 2, 16, 16, generator=torch.Generator().manual_seed(0))
    delta = torch.randn(1, 2, 16, 16, generator=torch.Generator().manual_seed(1))

    def gradient(seed: int) -> Tensor:
        torch.manual_seed(seed)
        (found,) = torch.autograd.grad(layer(x), layer.weight, delta)
        return found

    steps = [gradient(0) for _ in range(8)]
    assert all(step.equal(steps[0]) for step in steps) and member(layer).budget.renewals == 0
    exact = torch.nn.grad.conv2d_weight(x, layer.weight.shape, delta, padding=1)
    assert not torch.allclose(torch.stack(steps).mean(0), exact, rtol=0.01)
    check_mean(torch.stack([gradient(seed) for seed in range(1, 901)]), exact)
    assert member(layer).budget.renewals > 0


def test_a_call_without_a_backward_pass_changes_no_plan() -> None:
    model = network()
    for _ in range(5):
        model(images())
    with torch.no_grad():
        model(images())
    assert [each.plan for each in members(model)] == [None, None]


def test_a_layer_without_gradients_keeps_the_nominal_plan_and_takes_no_bits_of_others() -> None:
    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused = (nn.Conv2d(3, 4, 3, padding=1) for _ in range(2))

        def forward(self, x: Tensor) -> Tensor:
            self.unused(x)
            return self.used(x)

    model = convert(Branches(), bits=0.5, first="compressed")
    train(model, 4)
    assert member(model.unused).plan is None
    plan = member(model.used).plan
    assert plan is not None and plan.bits_a_block == pytest.approx(0.5 * 256, rel=0.05)


def test_a_step_that_overflows_is_forgotten() -> None:
    """Scale the loss so that gradients overflow, as first ones do: their spectra are not finite."""
    model = network()
    for scale in (torch.inf, 1.0, 1.0, torch.inf, 1.0, 1.0, 1.0):
        (model(images()).square().sum() * scale).backward()
    for each in members(model):
        assert each.weights.isfinite().all() and each.plan is not None


def test_probing_anew_starts_anew() -> None:
    model = network()
    train(model, 3)
    set_probing(model[3], bits=1)
    assert member(model[3]).plan is None and member(model[3]).budget.probing.bits == 1
    set_probing(model[3], probes=4)
    assert model[3]._xconv.member is None
    train(model, 3, start=3)


def test_spectra_are_measured_from_all_images_and_some_channels() -> None:
    """A few maps at a time or all: the same energies, and those of the definition."""
    layer = XConv2d(8, 4, 3, padding=1, bits=0.5)
    x = torch.randn(4, 8, 16, 16, generator=torch.Generator().manual_seed(0))
    layer(x)
    whole = member(layer).energies
    assert float(whole.sum()) == pytest.approx(256 * float(x.square().mean()), rel=1e-5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("xconv.budget._TOGETHER", {"cpu": 0})
        member(layer).see_input(x)
        torch.testing.assert_close(member(layer).energies, whole)
        patch.setattr("xconv.budget._LOOKED_AT", x.numel() // 4)
        member(layer).see_input(x)
    some = 256 * float(x[:, ::4].square().mean())
    assert float(member(layer).energies.sum()) == pytest.approx(some, rel=1e-5)
