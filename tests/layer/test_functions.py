"""Functions called in forward passes are reached by ``compress=["functions", …]``, and reverted."""

import copy
import pickle

import pytest
import torch
import torch.nn.functional as F
from layer_cases import assert_same, gradients, images
from saved_cases import assert_same_bits, kept_bytes, run
from torch import Tensor, fx, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.graph import save_on_cpu, saved_tensors_hooks
from torch.utils.checkpoint import checkpoint

from xconv import account, convert, revert
from xconv.saved.functions import Reaching

FAMILIES = ["relu", "pool", "act", "dropout", "functions"]


class Block(nn.Module):
    """Functions alone, in a module that others hold."""

    def forward(self, x: Tensor, scale: float = 1.0) -> Tensor:
        return F.leaky_relu(F.avg_pool2d(torch.relu(x), 3, 1, 1), 0.2) * scale


class Network(nn.Module):
    """Functions and modules, as networks of torchvision mix them."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.block = nn.Conv2d(3, 8, 3, padding=1), Block()
        self.last, self.relu = nn.Conv2d(8, 8, 3), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv(x), inplace=True), 2)
        x = F.dropout(self.block(x, scale=2.0), 0.3, self.training)
        x = F.adaptive_max_pool2d(self.relu(self.last(x)).relu(), 2)
        return torch.flatten(x, 1)


class Modules(nn.Sequential):
    """The same of modules alone."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        super().__init__(
            nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(True), nn.MaxPool2d(2), nn.ReLU(),
            nn.AvgPool2d(3, 1, 1), nn.LeakyReLU(0.2), nn.Dropout(0.3), nn.Conv2d(8, 8, 3),
            nn.ReLU(), nn.ReLU(), nn.AdaptiveMaxPool2d(2), nn.Flatten(),
        )  # fmt: skip


def test_gradients_are_torchs() -> None:
    model = convert(Network(), compress=FAMILIES)
    assert_same(gradients(model, images()), gradients(Network(), images()))


def test_less_is_kept_as_of_modules() -> None:
    x = images(side=32)
    exact, ours = Network(), convert(Network(), compress=FAMILIES)
    modules = convert(Modules(), compress=FAMILIES)
    assert kept_bytes(ours, x) == kept_bytes(modules, x)
    assert kept_bytes(ours, x) < 0.7 * kept_bytes(exact, x)


@pytest.mark.parametrize("family", ["pool", "act", "dropout"])
def test_only_families_that_are_swapped_are_reached(family: str) -> None:
    x = images(side=32)
    reached = convert(Network(), compress=[family, "functions"])
    modules = convert(Network(), compress=[family])
    everything = convert(Network(), compress=FAMILIES)
    assert kept_bytes(everything, x) < kept_bytes(reached, x) < kept_bytes(modules, x)
    assert kept_bytes(convert(Network(), compress=["functions"]), x) == kept_bytes(Network(), x)


def test_converted_and_reverted() -> None:
    model = Network()
    held = [(module, type(module), dict(vars(module))) for module in model.modules()]
    parameters = list(model.parameters())
    assert convert(convert(model, compress=FAMILIES), compress=FAMILIES) is model
    assert isinstance(model, Network) and isinstance(model, Reaching)
    assert all(a is b for a, b in zip(model.parameters(), parameters, strict=True))
    reasons = {entry.name: entry.reason for entry in account(model).swapped}
    words = "functions that its forward pass may call: relu, pool, act, dropout"
    assert reasons == {"": words, "block": words, "relu": "one bit an element"}
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert type(other) is type(model)
        assert_same(gradients(other, images()), gradients(model, images()))
    revert(model)
    assert [(m, type(m), dict(vars(m))) for m in model.modules()] == held


def test_functions_that_are_called_are_named() -> None:
    class Silu(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.silu(x)

    model = convert(Silu(), compress=FAMILIES)
    words = "functions called in its forward pass: act"
    assert [entry.reason for entry in account(model, images())] == [words]
    assert "may call: relu" in account(model)[0].reason  # the example ran through a copy
    model(images().requires_grad_())
    assert [entry.reason for entry in account(model)] == [words]


def test_a_failing_predicate_leaves_a_whole_model() -> None:
    model = convert(Network(), compress=FAMILIES)
    kinds = [type(module) for module in model.modules()]

    def fail(name: str, module: nn.Module) -> bool:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        convert(model, compress=FAMILIES, skip=fail)
    assert [type(module) for module in model.modules()] == kinds


class Gelus(nn.Module):
    """A module of torch's beside a function, the one skipped and the other not, or neither."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        return self.one(x) + F.gelu(x)


def test_skipped_modules_call_torchs_functions() -> None:
    x = torch.randn(64, requires_grad=True) + 0
    rounded = 64 // 2 + 4
    assert kept_bytes(convert(Gelus(), compress=FAMILIES), x) == 2 * rounded
    model = convert(Gelus(), compress=FAMILIES, skip=["one"])
    assert kept_bytes(model, x) == x.nbytes + rounded
    assert [entry.reason for entry in account(model).left] == ["skipped on request"]
    outer = convert(nn.Sequential(Gelus()), compress=FAMILIES, skip=["0"])
    assert kept_bytes(outer, x) == x.nbytes
    for reverted in (revert(model), revert(outer)[0]):
        assert type(reverted) is Gelus and type(reverted.one) is nn.GELU
        assert vars(reverted.one).keys() == vars(nn.GELU()).keys()


class LouderReLU(nn.ReLU):
    def forward(self, input: Tensor) -> Tensor:
        return 2 * F.relu(input)


def test_a_subclass_that_is_left_calls_functions_all_the_same() -> None:
    model = convert(nn.Sequential(LouderReLU()), compress=FAMILIES)
    (entry,) = account(model)
    assert not entry.swapped and entry.reason == "unsupported subclass LouderReLU of ReLU"
    x = torch.randn(64, requires_grad=True) + 0
    assert kept_bytes(model, x) == 64 // 8
    assert type(revert(model)[0]) is LouderReLU


def test_evaluation_rounds_nothing() -> None:
    model = convert(Gelus(), compress=FAMILIES).eval()
    x = torch.randn(64)
    for ours, theirs in zip(run(model, x), run(Gelus(), x), strict=True):
        assert_same_bits(ours, theirs)
    with torch.no_grad():
        assert_same_bits(model.train()(x), Gelus()(x))
    assert kept_bytes(model, x) == 0


class Checkpointing(nn.Module):
    """A checkpoint around functions, and around a module that calls some; dropout behind both."""

    def __init__(self, inner: nn.Module, reentrant: bool | str | None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.inner, self.reentrant = nn.Conv2d(3, 3, 3), inner, reentrant

    def segment(self, x: Tensor) -> Tensor:
        x = F.dropout(F.relu(F.max_pool2d(x, 3, 1, 1)), 0.4)
        return F.dropout(self.inner(x), 0.4)

    def offloaded(self, x: Tensor) -> Tensor:
        with save_on_cpu():
            return self.segment(x)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv(x))
        if self.reentrant is None:
            return F.relu(self.segment(x))
        if self.reentrant == "offloaded":
            return F.relu(checkpoint(self.offloaded, x, use_reentrant=False))
        return F.relu(checkpoint(self.segment, x, use_reentrant=self.reentrant))


checkpoints = pytest.mark.parametrize("reentrant", [False, True], ids=["direct", "reentrant"])


@pytest.mark.parametrize("reentrant", [False, True, "offloaded"])
def test_checkpoints_of_functions(reentrant: bool | str) -> None:
    """Both runs of a segment keep the same, or torch would complain."""
    expected = gradients(Checkpointing(Block(), None), images())
    for families in (FAMILIES, FAMILIES[1:]):
        model = convert(Checkpointing(Block(), reentrant), compress=families)
        assert_same(gradients(model, images()), expected)


class Rounding(nn.Module):
    """Slopes that are rounded and dropout, element by element."""

    def __init__(self, reentrant: bool) -> None:
        super().__init__()
        self.inner, self.reentrant = Gelus(), reentrant

    def forward(self, x: Tensor) -> Tensor:
        def segment(x: Tensor) -> Tensor:
            return F.dropout(self.inner(F.dropout(F.softplus(x), 0.3)), 0.3)

        output: Tensor = checkpoint(segment, F.softplus(x), use_reentrant=self.reentrant)
        return output


@checkpoints
def test_rounding_draws_the_same_in_both_runs(reentrant: bool) -> None:
    """A gradient passes where an element did, and near to what passed there."""
    model = convert(Rounding(reentrant), compress=FAMILIES, act_bits=8)
    x = images().requires_grad_()
    output = model(x)
    output.sum().backward()
    assert torch.equal(x.grad != 0, output != 0)
    assert 0.3 < float((output == 0).double().mean()) < 0.7


def test_compiled_in_one_graph() -> None:
    torch._dynamo.reset()
    for model in (convert(Network(), compress=FAMILIES), convert(Gelus(), compress=FAMILIES)):
        compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
        x = images().requires_grad_() if isinstance(model, Network) else images()
        for eager, found in zip(run(model, x.detach()), run(compiled, x.detach()), strict=False):
            torch.testing.assert_close(found, eager, equal_nan=True)
        leaf = x.detach().requires_grad_()
        assert kept_bytes(compiled, leaf) <= 1.05 * kept_bytes(model, leaf) + 64


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tools_that_write_a_network_down_see_torchs_functions() -> None:
    model = convert(Network(), compress=FAMILIES).eval()
    x = images()
    torch.testing.assert_close(torch.jit.script(model)(x), model(x))
    traced = torch.jit.trace(model, x)
    assert "xconv::" not in str(traced.inlined_graph) and "PythonOp" not in str(traced.graph)
    symbolic = fx.symbolic_trace(model)
    assert F.max_pool2d in {node.target for node in symbolic.graph.nodes}
    torch.testing.assert_close(symbolic(x), model(x))


@pytest.mark.parametrize("strict", [False, True], ids=["traced", "strict"])
def test_an_exported_program_holds_torchs_operators(strict: bool) -> None:
    model = convert(Network(), compress=FAMILIES).eval()
    with torch.no_grad():
        program = torch.export.export(model, (images(),), strict=strict)
    assert not any("xconv" in str(node.target) for node in program.graph.nodes)
    torch.testing.assert_close(program.module()(images()), model(images()))


def test_what_has_no_class_of_its_own_is_left() -> None:
    graph = fx.symbolic_trace(Block())
    scripted = torch.jit.script(nn.Sequential(nn.Flatten()))
    replaced = Block()
    replaced.forward = replaced.forward
    for module in (graph, scripted, replaced, nn.Sequential(nn.ReLU()), nn.ReLU()):
        kind = type(module)
        convert(nn.ModuleList([module]), compress=["functions"])
        assert type(module) is kind


def test_transforms_are_torchs() -> None:
    exact, ours = Network().eval().double(), convert(Network(), compress=FAMILIES).eval().double()
    x = images().double()
    for call in (
        lambda m: torch.func.grad(lambda y: m(y).square().sum())(x),
        lambda m: torch.func.jvp(m, (x,), (x,)),
    ):
        torch.testing.assert_close(call(ours), call(exact))


def test_modules_of_torch_s_transformer_are_reached() -> None:
    def layer() -> nn.Module:
        torch.manual_seed(0)
        return nn.TransformerEncoderLayer(16, 2, 32, 0.1, batch_first=True)

    x = torch.randn(2, 9, 16)
    model = convert(nn.Sequential(layer()), compress=FAMILIES)
    assert_same(gradients(model[0], x), gradients(layer(), x))
    assert kept_bytes(model, x) < kept_bytes(convert(layer(), compress=FAMILIES[:-1]), x)
    exact = layer().eval()
    with torch.no_grad():
        assert_same_bits(model.eval()(x), exact(x))


class Deviced(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x) + torch.ones(1)


def test_other_modes_go_on() -> None:
    with torch.device("meta"):
        model = convert(Deviced(), compress=FAMILIES)
        assert model(torch.randn(3, requires_grad=True)).device.type == "meta"


def test_simulations_are_reached() -> None:
    """Tensors without contents, as ``xconv-bench memory --simulate`` counts them."""
    sizes = []
    for build in (Network, lambda: convert(Network(), compress=FAMILIES)):
        model, x = build(), images(side=32)
        real = kept_shapes(model, x)
        with FakeTensorMode(allow_non_fake_inputs=True) as mode:
            sizes.append((real, kept_shapes(model, mode.from_tensor(x))))
    assert sizes[0][0] == sizes[0][1]
    assert sizes[1][0] == sizes[1][1] != sizes[0][0]


def kept_shapes(model: nn.Module, x: Tensor) -> list[tuple[int, ...]]:
    """Shapes of what a call saves, which a tensor without contents has as well."""
    shapes: list[tuple[int, ...]] = []
    with saved_tensors_hooks(lambda t: shapes.append(tuple(t.shape)) or t, lambda t: t):
        model(x)
    return shapes
