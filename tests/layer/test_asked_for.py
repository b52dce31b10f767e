"""Gradients that nobody asks for are not computed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from layer_cases import KINDS, Kind, assert_same, gradients, images, small_network
from torch import Tensor, nn

from xconv import XConv2d, convert, estimator
from xconv.geometry import Geometry

all_kinds = pytest.mark.parametrize("kind", KINDS, ids=str)


@contextmanager
def computed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Which gradients are computed meanwhile, of weights and of inputs."""
    found: list[str] = []

    def spy(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            found.append(name)
            return function(*args)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(estimator, "estimate_gradient", spy("weight", estimator.estimate_gradient))
        patch.setattr(Geometry, "input_gradient", spy("input", Geometry.input_gradient))
        yield found


CALLS: dict[str, tuple[Callable[[Tensor, Tensor, Tensor], Any], list[str]]] = {
    "grad of input": (lambda loss, x, w: torch.autograd.grad(loss, x), ["input"]),
    "grad of weight": (lambda loss, x, w: torch.autograd.grad(loss, w), ["weight"]),
    "grad of both": (lambda loss, x, w: torch.autograd.grad(loss, (x, w)), ["weight", "input"]),
    "backward of input": (lambda loss, x, w: loss.backward(inputs=[x]), ["input"]),
    "backward of weight": (lambda loss, x, w: loss.backward(inputs=[w]), ["weight"]),
    "backward": (lambda loss, x, w: loss.backward(), ["weight", "input"]),
}


@pytest.mark.parametrize(("call", "expected"), CALLS.values(), ids=CALLS)
@all_kinds
def test_what_is_computed(
    kind: Kind,
    call: Callable[[Tensor, Tensor, Tensor], Any],
    expected: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, layer = kind.pair(4, 6, 3)
    x = kind.images().requires_grad_()
    with computed(monkeypatch) as found:
        call(layer(x).sum(), x, layer.weight)
    assert found == expected


def test_a_computed_weight_and_an_input_inside_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    model = convert(small_network()[:4], probes=2)
    nn.utils.parametrizations.weight_norm(model[3])
    x = images().requires_grad_()
    with computed(monkeypatch) as found:
        torch.autograd.grad(model(x).sum(), x)
        assert found == ["input", "input"]
        torch.autograd.grad(model(x).sum(), model[3].parametrizations.weight.original0)
    assert found == ["input", "input", "weight"]


def test_what_is_asked_for_is_the_same_as_all() -> None:
    layer = XConv2d(3, 8, 3, probes=4)
    x = images().requires_grad_()
    expected = {**gradients(layer, x), "input": x.grad}
    for name, leaf in {**dict(layer.named_parameters()), "input": x}.items():
        torch.manual_seed(0)
        (alone,) = torch.autograd.grad(layer(x).square().sum(), leaf)
        assert_same({name: alone}, {name: expected[name]})


def test_hooks_on_a_weight_are_called_when_it_is_asked_for() -> None:
    layer = XConv2d(3, 8, 3, probes=4)
    calls: list[Tensor] = []
    layer.weight.register_hook(calls.append)
    x = images().requires_grad_()
    torch.autograd.grad(layer(x).sum(), x)
    assert calls == []
    layer(x).sum().backward()
    assert len(calls) == 1
