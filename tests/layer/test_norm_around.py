"""Normalisations in few bits among all that runs, copies and differentiates networks."""

import copy
import functools
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from layer_cases import assert_close, assert_same, gradients, images
from norm_cases import NORMS, Norm
from torch import Tensor, fx, nn
from torch.autograd import forward_ad
from torch.utils.checkpoint import (
    CheckpointPolicy,
    checkpoint,
    create_selective_checkpoint_contexts,
)

import xconv
from xconv.layout import Layout
from xconv.saved.maps import NormalizedMaps
from xconv.saved.rows import NormalizedRows
from xconv_bench.meters.live import LiveMeter

every_norm = pytest.mark.parametrize("norm", NORMS.values(), ids=NORMS)
both_modes = pytest.mark.parametrize("training", [True, False], ids=["training", "evaluating"])
SOME = {n: NORMS[n] for n in ("BatchNorm2d", "InstanceNorm2d, tracking", "GroupNorm", "RMSNorm")}


def plain_network() -> nn.Sequential:
    """Every kind of normalisation, and dropout behind them; no ReLU, so that all is smooth."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.GroupNorm(2, 8),
        nn.Tanh(),
        nn.Conv2d(8, 8, 3, padding=1),
        nn.InstanceNorm2d(8, affine=True, track_running_stats=True),
        nn.Dropout(0.3),
        nn.Flatten(2),
        nn.LayerNorm(256),
        nn.RMSNorm(256),
        nn.BatchNorm1d(8, affine=False),
        nn.Dropout(0.3),
    )


def network(norm_bits: int = 4) -> nn.Sequential:
    return xconv.convert(plain_network(), compress=["norm"], norm_bits=norm_bits)


@pytest.fixture(autouse=True)
def fresh_compiler() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def test_convolutions_and_normalisations_together() -> None:
    families = ["conv", "relu", "norm", "linear"]
    model = xconv.convert(plain_network(), compress=families, first="compressed")
    assert [e.name for e in xconv.account(model).swapped] == [
        "0",
        "1",
        "2",
        "4",
        "5",
        "8",
        "9",
        "10",
    ]
    found = gradients(model, images())
    assert all(g.isfinite().all() for g in found.values())


@both_modes
def test_a_compiled_network(training: bool) -> None:
    """In one graph, with the same gradients and running statistics, for other sizes too."""
    eager, other = network().train(training), network().train(training)
    eager[6].p = eager[11].p = other[6].p = other[11].p = 0.0
    run = torch.compile(other, backend="aot_eager", fullgraph=True)
    for batch in (2, 3):
        expected = gradients(eager, images(batch))
        assert_close(gradients(other, images(batch), run=run), expected, 1e-4)
    for (name, ours), theirs in zip(other.named_buffers(), eager.buffers(), strict=True):
        torch.testing.assert_close(ours, theirs, msg=name)


@pytest.mark.parametrize("reentrant", [False, True], ids=["direct", "reentrant"])
@both_modes
def test_a_checkpoint(training: bool, reentrant: bool) -> None:
    model = network().train(training)
    for index in (6, 11):
        model[index].train()
    x = images().requires_grad_()

    def step(run: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
        x.grad = None
        found = gradients(model, x, run=run)
        return {**found, "input": x.grad}

    expected = step(model)
    assert_same(step(lambda x: checkpoint(model, x, use_reentrant=reentrant)), expected)


def keeps(names: tuple[str, ...]) -> Callable[..., CheckpointPolicy]:
    def policy(context: Any, operator: Any, *args: Any, **kwargs: Any) -> CheckpointPolicy:
        saved = any(name in str(operator) for name in names)
        return CheckpointPolicy.MUST_SAVE if saved else CheckpointPolicy.PREFER_RECOMPUTE

    return policy


@pytest.mark.parametrize("names", [(), ("keep_normalized",), ("randint",), ("norm",)], ids=str)
def test_a_selective_checkpoint(names: tuple[str, ...]) -> None:
    """Whatever it saves, numbers and seed come from the same run."""
    model = network(1)
    model[6] = model[11] = nn.Identity()  # dropout draws otherwise where draws are not repeated
    context = functools.partial(create_selective_checkpoint_contexts, keeps(names))
    expected = gradients(model, images())
    found = gradients(
        model, images(),
        run=lambda x: checkpoint(model, x, use_reentrant=False, context_fn=context),
    )  # fmt: skip
    assert_same(found, expected)


def test_one_draw_a_call_that_keeps_something() -> None:
    def draws(layer: nn.Module, x: Tensor) -> int:
        torch.manual_seed(0)
        layer(x)
        after = torch.get_rng_state()
        torch.manual_seed(0)
        if torch.equal(torch.get_rng_state(), after):
            return 0
        torch.randint(2**62, (), dtype=torch.int64)
        return 1 if torch.equal(torch.get_rng_state(), after) else 2

    for norm in NORMS.values():
        layer = norm.pair()[1]
        assert draws(layer, norm.input()) == 1
        with torch.no_grad(), torch.inference_mode():
            assert draws(layer, norm.input()) == 0
    frozen = NORMS["BatchNorm2d"].pair()[1].eval().requires_grad_(False)
    assert draws(frozen, NORMS["BatchNorm2d"].input()) == 0


def function_of(layer: nn.Module) -> Callable[[Tensor], Tensor]:
    return lambda x: layer(x).sin()


TRANSFORMED = {**SOME, "BatchNorm2d": NORMS["BatchNorm2d, plain"]}
"""torch's own batch normalisation refuses to move running statistics there."""


@both_modes
@pytest.mark.parametrize("norm", TRANSFORMED.values(), ids=TRANSFORMED)
def test_torch_func_and_forward_mode_are_torch_s(norm: Norm, training: bool) -> None:
    exact, ours = (layer.train(training) for layer in norm.pair())
    x = norm.input().detach()
    for call in (
        lambda layer: torch.func.jvp(function_of(layer), (x,), (x.cos(),)),
        lambda layer: torch.func.grad(lambda x: function_of(layer)(x).sum())(x),
    ):
        torch.testing.assert_close(call(ours), call(exact))
    assert "torch.func" in xconv.account(ours)[0].reason
    with forward_ad.dual_level():
        found = [
            forward_ad.unpack_dual(layer(forward_ad.make_dual(x, x.cos()))).tangent
            for layer in (ours, exact)
        ]
    torch.testing.assert_close(*found)


@every_norm
def test_an_estimated_gradient_says_that_it_has_no_derivative(norm: Norm) -> None:
    """The gradient of β has one, as has the output."""
    _, layer = norm.pair()
    x = norm.input()
    first = torch.autograd.grad(layer(x).square().sum(), x, create_graph=True)[0]
    with pytest.raises(RuntimeError, match=r"estimated gradient of a normalisation.*exact \(skip"):
        first.sum().backward()


def test_a_graph_of_the_backward_pass_changes_no_gradient() -> None:
    model = network()
    expected = gradients(model, images())
    torch.manual_seed(0)
    loss = model(images()).square().sum()
    names = [name for name, p in model.named_parameters() if p.requires_grad]
    found = torch.autograd.grad(loss, list(model.parameters()), create_graph=True)
    detached = [gradient.detach() for gradient in found]
    assert_close(dict(zip(names, detached, strict=True)), expected, 1e-5)


@pytest.mark.parametrize("name", ["BatchNorm2d", "SyncBatchNorm", "InstanceNorm2d, tracking"])
def test_in_evaluation_the_input_s_gradient_has_every_derivative(name: str) -> None:
    found = []
    for layer in NORMS[name].pair():
        layer.eval().weight.requires_grad_(False)
        x = NORMS[name].input()
        loss = layer(x).sin().sum()
        (first,) = torch.autograd.grad(loss, x, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), x)
        found.append((first, second))
    torch.testing.assert_close(found[1], found[0])


@pytest.mark.parametrize("norm", SOME.values(), ids=SOME)
def test_several_gradients_at_once_are_refused(norm: Norm) -> None:
    _, layer = norm.pair()
    x = norm.input()
    output = layer(x).flatten(1).sum(0)[:2]
    with pytest.raises(RuntimeError, match="one output gradient at a time"):
        torch.autograd.grad(output, x, torch.eye(2).double(), is_grads_batched=True)


@pytest.mark.parametrize("norm", SOME.values(), ids=SOME)
def test_gradients_that_nobody_asks_for(norm: Norm) -> None:
    """One alone is that which all together would be."""
    _, layer = norm.pair()
    leaves = {"input": norm.input(), **dict(layer.named_parameters())}
    torch.manual_seed(0)
    output = layer(leaves["input"])
    every = torch.autograd.grad(output.sum(), list(leaves.values()), retain_graph=True)
    for (name, leaf), expected in zip(leaves.items(), every, strict=True):
        (alone,) = torch.autograd.grad(output.sum(), leaf, retain_graph=True)
        torch.testing.assert_close(alone, expected, msg=name)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
@both_modes
def test_tools_that_write_a_network_down_see_torch_s(training: bool) -> None:
    model = network().train(training)
    model[6] = model[11] = nn.Identity()
    x = images()
    twin = copy.deepcopy(model)
    traced = torch.jit.trace(model, x, check_trace=False)
    assert "xconv::" not in str(traced.inlined_graph)
    script = torch.jit.script(copy.deepcopy(twin))
    expected = xconv.revert(copy.deepcopy(twin))(x)
    torch.testing.assert_close(script(x), expected)
    graph = fx.symbolic_trace(copy.deepcopy(twin))
    assert type(graph.get_submodule("1")) is type(model[1])
    assert graph(x).equal(expected)


def test_an_evaluating_network_exports() -> None:
    model = network().eval()
    with torch.no_grad():
        program = torch.export.export(model, (images(),))
    assert "xconv" not in str(program.graph)
    torch.testing.assert_close(program.module()(images()), model(images()))


@pytest.mark.parametrize("way", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies(way: Callable[[nn.Module], nn.Module]) -> None:
    model = network(2)
    twin = way(model)
    assert repr(twin) == repr(model)
    assert_same(gradients(twin, images()), gradients(model, images()))
    twin.load_state_dict(plain_network().state_dict())
    assert_same(xconv.revert(twin).state_dict(), plain_network().state_dict())


def test_autocast() -> None:
    found = []
    for model in (plain_network(), network(8)):
        model[6] = model[11] = nn.Identity()
        x = images()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            output = model(x)
        output.float().square().sum().backward()
        found.append((output, [p.grad for p in model.parameters()]))
    assert found[1][0].dtype == found[0][0].dtype and found[1][0].equal(found[0][0])
    assert [g.dtype for g in found[1][1]] == [g.dtype for g in found[0][1]]


PASSES = {
    "maps": (NormalizedMaps(32, True), (32, 32, 32, 32), (32,)),
    "maps of one image": (NormalizedMaps(4), (1, 32, 128, 128), (1, 4)),
    "rows": (NormalizedRows(512), (1024, 512), (1024, 1)),
}


@pytest.mark.parametrize(("way", "shape", "statistics"), PASSES.values(), ids=PASSES)
def test_what_is_needed_for_a_moment(
    way: NormalizedMaps | NormalizedRows, shape: tuple[int, ...], statistics: tuple[int, ...]
) -> None:
    """A few parts of 2¹⁸ numbers at the most, however large the input; here half of it."""
    x, delta = (torch.randn(shape) for _ in range(2))
    mean, rstd = torch.zeros(statistics), torch.ones(statistics)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("xconv.saved.stand_in._AT_A_TIME", {"cpu": 2**14})
        meter = LiveMeter(torch.device("cpu"))
        meter.track([x, delta, mean, rstd])
        with meter:
            given = meter.live_bytes
            kept = way.keep(x, mean, rstd, torch.tensor(0), 4)
            forward = meter.peak_bytes - meter.live_bytes
            meter.reset_peak()
            given = meter.live_bytes
            result = way.gradients(kept, delta, None, rstd, Layout.of(x), True)
            backward = meter.peak_bytes - given - x.nbytes
    assert result[0] is not None and result[0].shape == x.shape
    assert 0 < forward < 8 * 4 * 2**14 and 0 < backward < 8 * 4 * 2**14
    assert x.nbytes / 2 > 8 * 4 * 2**14
