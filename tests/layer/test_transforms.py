"""``torch.func``, forward-mode derivatives and batched gradients: torch's answer, or one line."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from layer_cases import KINDS, Kind, images, small_network
from torch import Tensor, nn
from torch.autograd import forward_ad

import xconv
from xconv import XConv2d, convert

all_kinds = pytest.mark.parametrize("kind", KINDS, ids=str)


def pair() -> tuple[nn.Module, nn.Module, Tensor]:
    """A network, the same one converted, and images for them. Both evaluate: torch.vmap refuses
    to update the statistics of a batch normalisation."""
    exact, ours = small_network().double().eval(), convert(small_network().double(), probes=2)
    return exact, ours.eval(), images().double()


def loss(model: nn.Module) -> Callable[[dict[str, Tensor], Tensor], Tensor]:
    def call(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
        output: Tensor = torch.func.functional_call(model, parameters, (x,))
        return output.square().sum()

    return call


def per_sample(model: nn.Module, x: Tensor) -> Any:
    gradient = torch.func.grad(loss(model))
    parameters = {n: p.detach() for n, p in model.named_parameters()}
    return torch.func.vmap(gradient, in_dims=(None, 0))(parameters, x[:, None])


def whole(model: nn.Module, x: Tensor) -> Any:
    return torch.func.grad(loss(model))(dict(model.named_parameters()), x)


def hessian(model: nn.Module, x: Tensor) -> Any:
    return torch.func.hessian(lambda b: loss(model)({"0.bias": b}, x))(model[0].bias.detach())


def forward_mode(model: nn.Module, x: Tensor) -> Any:
    return torch.func.jvp(model, (x,), (torch.ones_like(x),))


def dual(model: nn.Module, x: Tensor) -> Any:
    with forward_ad.dual_level():
        return forward_ad.unpack_dual(model(forward_ad.make_dual(x, torch.ones_like(x)))).tangent


def jacobian(model: nn.Module, x: Tensor) -> Any:
    return torch.func.jacrev(model)(x)


CALLS = [per_sample, whole, hessian, forward_mode, dual, jacobian]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
def test_is_torch_s(call: Callable[[nn.Module, Tensor], Any]) -> None:
    exact, ours, x = pair()
    torch.testing.assert_close(call(ours, x), call(exact, x))


@all_kinds
def test_per_sample_gradients_of_every_layer(kind: Kind) -> None:
    exact, ours = kind.pair(4, 6, 3, padding=1, dtype=torch.float64)
    x = kind.images(dtype=torch.float64)
    torch.testing.assert_close(per_sample(ours, x), per_sample(exact, x))


def test_a_layer_says_that_it_was_exact() -> None:
    layer = XConv2d(3, 8, 3)
    torch.func.jvp(layer, (images(),), (images(),))
    (entry,) = xconv.account(layer)
    assert not entry.swapped and "torch.func" in entry.reason
    layer(images())
    (entry,) = xconv.account(layer)
    assert entry.swapped


def test_several_gradients_of_the_input_at_once() -> None:
    _, ours, x = pair()
    x.requires_grad_()
    output = ours(x).sum(0)
    each = [torch.autograd.grad(o, x, retain_graph=True)[0] for o in output]
    directions = torch.eye(len(output)).double()
    (batched,) = torch.autograd.grad(
        output, x, directions, is_grads_batched=True, retain_graph=True
    )
    torch.testing.assert_close(batched, torch.stack(each))
    mapped = torch.func.vmap(lambda d: torch.autograd.grad(output, x, d, retain_graph=True)[0])
    torch.testing.assert_close(mapped(directions), torch.stack(each))


def test_the_jacobian_of_the_input() -> None:
    exact, ours, x = pair()
    for vectorize in (False, True):
        found = [
            torch.autograd.functional.jacobian(model, x, vectorize=vectorize)
            for model in (ours, exact)
        ]
        torch.testing.assert_close(*found)


@pytest.mark.parametrize("how", ["is_grads_batched", "vmap"])
def test_several_estimates_at_once_are_refused_in_one_line(how: str) -> None:
    layer = XConv2d(3, 8, 3)
    output = layer(images()).flatten(1).sum(0)[:2]
    with pytest.raises(RuntimeError, match=r"one output gradient at a time; ask for each .*$"):
        if how == "vmap":
            torch.func.vmap(lambda d: torch.autograd.grad(output, layer.weight, d))(torch.eye(2))
        else:
            torch.autograd.grad(output, layer.weight, torch.eye(2), is_grads_batched=True)
