"""One draw a call from torch's generator, and nothing that would wait for a device."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from layer_cases import CONV2D, KINDS, Kind, assert_same, gradients, how, images, small_network
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from xconv import XConv2d, convert, functional
from xconv.capture import refuse_capture
from xconv.random import rademacher
from xconv.schemes import PROBED, SCHEMES

DISTRIBUTIONS = ["rademacher", "gaussian"]


def draw() -> None:
    """The draw that a layer makes."""
    torch.randint(2**62, (), dtype=torch.int64)


def draws(call: Any, *inputs: Tensor) -> int:
    """How many such draws ``call`` makes, and nothing else of the generator."""
    torch.manual_seed(0)
    call(*inputs)
    after = torch.get_rng_state()
    torch.manual_seed(0)
    for count in range(20):
        if torch.equal(torch.get_rng_state(), after):
            return count
        draw()
    raise AssertionError("the generator is where no number of draws leads")


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_one_draw_a_call(kind: Kind) -> None:
    layer = kind.pair(4, 4, 3, padding=1)[1]
    assert draws(layer, kind.images()) == 1
    assert draws(nn.Sequential(layer, layer, layer), kind.images()) == 3


def test_the_backward_pass_draws_nothing() -> None:
    model = convert(small_network(), first="compressed")
    assert draws(lambda x: model(x).sum().backward(), images()) == 2


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_probes_do_not_come_from_the_users_stream(scheme: str) -> None:
    layer = XConv2d(3, 8, 3, distribution="gaussian", **how(scheme, probes=16))
    assert draws(lambda x: layer(x).sum().backward(), images()) == 1


def test_layers_that_keep_no_sketch_draw_nothing() -> None:
    x = images()
    assert draws(XConv2d(3, 8, 3, probes=0), x) == 0
    assert draws(XConv2d(3, 8, 3, probes=1000), x) == 0
    assert draws(XConv2d(3, 8, 3).requires_grad_(False), x.clone().requires_grad_()) == 0


@pytest.mark.parametrize(
    ("context", "training", "expected"),
    [
        (torch.no_grad, False, 0),
        (torch.inference_mode, False, 0),
        (torch.inference_mode, True, 0),
        (torch.no_grad, True, 0),
        (torch.enable_grad, False, 2),
    ],
    ids=["no_grad", "inference", "inference-training", "no_grad-training", "eval-with-gradients"],
)
def test_evaluation_draws_nothing(context: Any, training: bool, expected: int) -> None:
    model = convert(small_network(), first="compressed").train(training)
    with context():
        assert draws(model, images()) == expected


def test_dropout_finds_the_stream_one_draw_further() -> None:
    exact, ours = CONV2D.pair(4, 6, 3)
    x = CONV2D.images()
    torch.manual_seed(5)
    actual = nn.Sequential(ours, nn.Dropout())(x)
    torch.manual_seed(5)
    draw()
    assert torch.equal(actual, F.dropout(exact(x)))


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_a_seed_makes_gradients_repeat(scheme: str, distribution: str) -> None:
    model = convert(small_network(), scheme=scheme, distribution=distribution, first="compressed")
    first = gradients(model, images(), seed=1)
    assert_same(gradients(model, images(), seed=1), first)
    assert not torch.equal(gradients(model, images(), seed=2)["3.weight"], first["3.weight"])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_equal_layers_have_probes_of_their_own(scheme: str) -> None:
    one, other = (XConv2d(4, 4, 3, scheme=scheme) for _ in range(2))
    other.load_state_dict(one.state_dict())
    (one(CONV2D.images()) + other(CONV2D.images())).sum().backward()
    assert torch.equal(one.bias.grad, other.bias.grad)
    assert not torch.allclose(one.weight.grad, other.weight.grad)


READERS = ["item", "tolist", "numpy", "cpu", "__int__", "__float__", "__bool__", "__index__"]


@contextmanager
def host_reads(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Tensor]]:
    """The tensors whose values Python asks for meanwhile: each would wait for a device."""
    read: list[Tensor] = []

    def spy(name: str) -> Any:
        original = getattr(Tensor, name)

        def method(self: Tensor, *args: Any, **kwargs: Any) -> Any:
            read.append(self)
            return original(self, *args, **kwargs)

        return method

    with monkeypatch.context() as patch:
        for name in READERS:
            patch.setattr(Tensor, name, spy(name))
        yield read


@pytest.mark.parametrize("scheme", PROBED)
@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_only_seeds_are_read_and_they_lie_on_the_host(
    scheme: str, distribution: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = convert(small_network(), scheme=scheme, distribution=distribution, first="compressed")
    x = images()
    with host_reads(monkeypatch) as read:
        model(x).sum().backward()
    assert len(read) >= 4  # two layers, forward and backward: the spy sees them
    assert {(t.dtype, t.dim(), t.device.type) for t in read} == {(torch.int64, 0, "cpu")}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_no_operation_waits_for_a_value(kind: Kind, scheme: str, distribution: str) -> None:
    """A fake tensor has no values: whatever needs one raises."""
    with FakeTensorMode():
        layer = kind.ours(4, 6, 3, distribution=distribution, **how(scheme))
        x = torch.empty(2, 4, *kind.pixels, requires_grad=True)
        layer(x).sum().backward()
    assert layer.weight.grad.shape == layer.weight.shape
    assert x.grad.shape == x.shape


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluating"])
def test_an_autograd_function_sees_the_draws_of_either_mode(training: bool) -> None:
    """Its forward pass is without gradients, and may run again with them."""

    class Block(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor, model: nn.Module) -> Tensor:
            return model(x)

    model = convert(small_network(), first="compressed").train(training)
    assert draws(lambda x: Block.apply(x, model), images().requires_grad_()) == 2


def test_a_frozen_parameter_takes_no_seed_and_a_computed_weight_always_does() -> None:
    weight = nn.Parameter(torch.randn(8, 3, 3, 3))
    for followed in (True, False):
        weight.requires_grad_(followed)
        assert draws(lambda x: functional.conv(x, weight), images()) == followed
        assert draws(lambda x: functional.conv(x, weight * 2), images()) == 1


def test_a_cuda_graph_of_a_draw_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each replay would use the same numbers. Without a capture, and on a CPU, all is well."""
    cuda = torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: False)
    refuse_capture(cuda)
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)
    with pytest.raises(RuntimeError, match="a CUDA graph would use the same random numbers"):
        refuse_capture(cuda)
    with pytest.raises(RuntimeError, match="a CUDA graph"):
        rademacher(torch.tensor(1), 0, 8, torch.float32, cuda)
    gradients(XConv2d(4, 4, 3), CONV2D.images())
