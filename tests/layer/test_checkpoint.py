"""``torch.utils.checkpoint`` runs a segment again: with the same probes, to the same gradient."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from layer_cases import assert_same, gradients, how, images, small_network
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from torch.utils.checkpoint import checkpoint, checkpoint_sequential

from xconv import convert, functional
from xconv.schemes import SCHEMES

reentrant = pytest.mark.parametrize("reentrant", [False, True], ids=["direct", "reentrant"])
every_scheme = pytest.mark.parametrize("scheme", SCHEMES)


def network(scheme: str = "independent") -> nn.Sequential:
    """Converted, with dropout between and behind the probed layers; no running statistics."""
    model = small_network()
    model[1] = nn.Dropout(0.3)
    model[5] = nn.Sequential(nn.Dropout(0.3), nn.AdaptiveAvgPool2d(1))
    return convert(model, **how(scheme))


def inputs() -> Tensor:
    """Reentrant checkpoints need an input that requires a gradient."""
    return images().requires_grad_()


@reentrant
@every_scheme
def test_one_segment(scheme: str, reentrant: bool) -> None:
    model = network(scheme)
    expected = gradients(model, inputs())
    actual = gradients(model, inputs(), run=lambda x: checkpoint(model, x, use_reentrant=reentrant))
    assert_same(actual, expected)


@reentrant
@every_scheme
def test_step_after_step(scheme: str, reentrant: bool) -> None:
    """Steps are those without checkpoints, for as long as a plan may change from call to call."""
    plain, checkpointed = network(scheme), network(scheme)

    def run(x: Tensor) -> Tensor:
        output: Tensor = checkpoint(checkpointed, x, use_reentrant=reentrant)
        return output

    for seed in range(6):
        expected = gradients(plain, inputs(), seed=seed)
        assert_same(gradients(checkpointed, inputs(), seed=seed, run=run), expected)


@pytest.mark.parametrize("preserve", [False, True], ids=["afresh", "preserved"])
def test_a_plan_is_not_renewed_between_both_runs(preserve: bool) -> None:
    """torch refuses saved tensors that come out of another size the second time."""
    model = network("spectral")

    def run(x: Tensor) -> Tensor:
        output: Tensor = checkpoint(model, x, use_reentrant=False, preserve_rng_state=preserve)
        return output

    for seed in range(6):
        gradients(model, inputs(), seed=seed, run=run)
    assert model[3]._xconv.member.plan is not None


@reentrant
@pytest.mark.parametrize("segments", [2, 4])
def test_several_segments(reentrant: bool, segments: int) -> None:
    model = network()
    expected = gradients(model, inputs())
    actual = gradients(
        model,
        inputs(),
        run=lambda x: checkpoint_sequential(model, segments, x, use_reentrant=reentrant),
    )
    assert_same(actual, expected)


@reentrant
def test_the_stream_goes_on_as_without(reentrant: bool) -> None:
    model = network()
    gradients(model, inputs())
    expected = torch.get_rng_state()
    gradients(model, inputs(), run=lambda x: checkpoint(model, x, use_reentrant=reentrant))
    assert torch.equal(torch.get_rng_state(), expected)


@reentrant
@every_scheme
def test_under_autocast(scheme: str, reentrant: bool) -> None:
    model = network(scheme)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        expected = gradients(model, inputs())
        actual = gradients(
            model, inputs(), run=lambda x: checkpoint(model, x, use_reentrant=reentrant)
        )
    assert_same(actual, expected)


class Functional(nn.Module):
    """Calls of the function, its weight a parameter or computed from one, dropout behind each."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one, self.other = (nn.Parameter(torch.randn(3, 3, 3, 3)) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        x = F.dropout(functional.conv(x, self.one, padding=1, probes=4))
        weight = self.other / self.other.norm()
        return F.dropout(functional.conv(x, weight, padding=1, probes=4))


class Frozen(nn.Module):
    """Nothing of the first call is followed: its weight is computed from a frozen one, and the
    image that it sees needs no gradient."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one, self.other = (nn.Parameter(torch.randn(3, 3, 3, 3)) for _ in range(2))
        self.one.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        y = F.dropout(functional.conv(x.detach(), 2 * self.one, padding=1, probes=4))
        return x + F.dropout(functional.conv(y, self.other, padding=1, probes=4))


def frozen_half() -> nn.Module:
    """One weight is frozen, another computed from a frozen one by a parametrization."""
    model = network()
    parametrizations.weight_norm(model[3])
    model[0].weight.requires_grad_(False)
    model[3].parametrizations.weight.requires_grad_(False)
    return model


SEGMENTS: dict[str, Callable[[], nn.Module]] = {
    "training": network,
    "evaluating, dropout active": lambda: only_dropout_trains(network()),
    "function": Functional,
    "frozen": frozen_half,
    "frozen and computed": Frozen,
    "parametrized": lambda: parametrized(network()),
    "falls back": lambda: convert(network(), probes=1000),
}


def only_dropout_trains(model: nn.Module) -> nn.Module:
    model.eval()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.train()
    return model


def parametrized(model: nn.Module) -> nn.Module:
    """Its weights are computed: under ``no_grad`` they require no gradient."""
    parametrizations.weight_norm(model[3])
    return model


@reentrant
@pytest.mark.parametrize("build", SEGMENTS.values(), ids=SEGMENTS)
def test_dropout_drops_the_same_in_both_runs(
    build: Callable[[], nn.Module], reentrant: bool
) -> None:
    model = build()

    def step(run: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
        x = inputs()
        found = gradients(model, x, run=lambda _: run(x))
        return {**found, "input": x.grad}

    expected = step(model)
    assert_same(step(lambda x: checkpoint(model, x, use_reentrant=reentrant)), expected)


class _RunTwice(torch.autograd.Function):
    """Forward and backward passes as reversible blocks and other people's checkpoints run them."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, model: nn.Module) -> Tensor:
        ctx.model, ctx.generator = model, torch.get_rng_state()
        ctx.save_for_backward(x)
        return model(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        x = x.detach().requires_grad_()
        with torch.enable_grad(), torch.random.fork_rng(devices=[]):
            torch.set_rng_state(ctx.generator)
            output = ctx.model(x)
        output.backward(gradient)
        return x.grad, None


@pytest.mark.parametrize("build", SEGMENTS.values(), ids=SEGMENTS)
def test_so_it_does_in_functions_that_run_a_block_again(build: Callable[[], nn.Module]) -> None:
    model = build()
    expected = gradients(model, inputs())
    assert_same(gradients(model, inputs(), run=lambda x: _RunTwice.apply(x, model)), expected)
