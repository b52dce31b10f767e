"""Things that autograd users do with a layer: accumulate, freeze, share, differentiate again."""

import pytest
import torch
from layer_cases import CONV2D, KINDS, Kind, assert_same, gradients, how, images, small_network
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from xconv import XConv2d, convert
from xconv.schemes import SCHEMES

every_scheme = pytest.mark.parametrize("scheme", SCHEMES)
all_kinds = pytest.mark.parametrize("kind", KINDS, ids=str)


def saved_bytes(layer: nn.Module, input: Tensor) -> int:
    """Return the bytes that autograd keeps after a call, parameters not counted."""
    parameters = {p.data_ptr() for p in layer.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.data_ptr() not in parameters:
            kept[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        layer(input)
    return sum(kept.values())


def test_two_backward_passes_add_up() -> None:
    model = convert(small_network()[:1], probes=4, first="compressed")
    first, second = gradients(model, images(), seed=1), gradients(model, images(), seed=2)
    model.zero_grad()
    for seed in (1, 2):
        torch.manual_seed(seed)
        model(images()).square().sum().backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, first[name] + second[name])
    assert not torch.equal(first["0.weight"], second["0.weight"])


def test_one_graph_may_be_gone_through_twice() -> None:
    layer = XConv2d(3, 8, 3)
    loss = layer(images()).square().sum()
    loss.backward(retain_graph=True)
    once = layer.weight.grad.clone()
    loss.backward()
    torch.testing.assert_close(layer.weight.grad, 2 * once)


@all_kinds
@every_scheme
def test_a_frozen_weight_costs_no_sketch_and_no_draw(kind: Kind, scheme: str) -> None:
    exact, ours = kind.pair(4, 6, 3, padding=1, scheme=scheme)
    x = kind.images().requires_grad_()
    for layer in (exact, ours):
        layer.weight.requires_grad_(False)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    assert saved_bytes(ours, x) == 0
    assert torch.equal(torch.get_rng_state(), before)
    expected = torch.autograd.grad(exact(x).square().sum(), (x, exact.bias))
    actual = torch.autograd.grad(ours(x).square().sum(), (x, ours.bias))
    torch.testing.assert_close(actual, expected)


@all_kinds
@every_scheme
@pytest.mark.parametrize("wanted", ["weight", "bias", "input"])
def test_one_gradient_alone(kind: Kind, scheme: str, wanted: str) -> None:
    _, ours = kind.pair(4, 6, 3, padding=1, scheme=scheme)
    x = kind.images().requires_grad_()
    leaves = {"weight": ours.weight, "bias": ours.bias, "input": x}
    torch.manual_seed(0)
    together = torch.autograd.grad(ours(x).square().sum(), list(leaves.values()))
    for name, leaf in leaves.items():
        leaf.requires_grad_(name == wanted)
    torch.manual_seed(0)
    (alone,) = torch.autograd.grad(ours(x).square().sum(), leaves[wanted])
    assert torch.equal(alone, dict(zip(leaves, together, strict=True))[wanted])


def test_a_frozen_model_is_not_tracked() -> None:
    layer = XConv2d(3, 8, 3).requires_grad_(False)
    assert not layer(images()).requires_grad


@every_scheme
def test_a_module_called_twice_has_two_sketches_whose_estimates_add_up(scheme: str) -> None:
    layer = XConv2d(4, 4, 3, padding=1, **how(scheme))
    x, y = CONV2D.images().chunk(2)

    def one_by_one(*inputs: Tensor) -> list[Tensor]:
        torch.manual_seed(0)
        return [torch.autograd.grad(layer(i).sum(), layer.weight)[0] for i in inputs]

    torch.manual_seed(0)
    (together,) = torch.autograd.grad((layer(x) + layer(y)).sum(), layer.weight)
    torch.testing.assert_close(together, sum(one_by_one(x, y)))
    first, second = one_by_one(x, x)
    assert not torch.equal(first, second)


def test_tied_weights_of_two_modules() -> None:
    one, other = XConv2d(4, 4, 3, padding=1, probes=4), XConv2d(4, 4, 3, padding=1, scheme="multi")
    other.weight = one.weight
    x = CONV2D.images()
    torch.manual_seed(0)
    first = torch.autograd.grad(one(x).sum(), one.weight)[0]
    second = torch.autograd.grad(other(x).sum(), one.weight)[0]
    torch.manual_seed(0)
    (one(x) + other(x)).sum().backward()
    torch.testing.assert_close(one.weight.grad, first + second)


def test_an_input_that_changes_afterwards_does_not_matter() -> None:
    """torch's layer refuses this backward pass, because it keeps the input itself."""
    layer = XConv2d(3, 8, 3, probes=4)
    x = images()
    expected = gradients(layer, x.clone())
    layer.zero_grad()
    torch.manual_seed(0)
    loss = layer(x).square().sum()
    x.zero_()
    loss.backward()
    assert_same({n: p.grad for n, p in layer.named_parameters()}, expected)


def test_a_weight_that_changes_between_forward_and_backward_is_refused() -> None:
    layer = XConv2d(3, 8, 3)
    loss = layer(images()).sum()
    with torch.no_grad():
        layer.weight.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
