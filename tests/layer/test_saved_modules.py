"""Every module of ``xconv.saved``: torch's outputs, torch's gradients or their mean, few bytes."""

import copy
import pickle
from collections.abc import Callable

import pytest
import torch
from saved_cases import (
    EVERY,
    Saved,
    assert_same_bits,
    every_case,
    every_exact,
    every_float,
    every_range,
    kept_bytes,
    run,
)
from statistics_checker import FEWEST_SAMPLES, check_mean
from torch import Tensor, fx, nn
from torch.utils.checkpoint import checkpoint

from xconv import account, revert
from xconv.saved import curves
from xconv.saved.module import Saving

CURVES: dict[type[nn.Module], tuple[str, tuple[str, ...]]] = {
    nn.ELU: ("elu", ("alpha",)),
    nn.CELU: ("celu", ("alpha",)),
    nn.SELU: ("selu", ()),
    nn.GELU: ("gelu", ("approximate",)),
    nn.SiLU: ("silu", ()),
    nn.Mish: ("mish", ()),
    nn.Hardswish: ("hardswish", ()),
    nn.Sigmoid: ("sigmoid", ()),
    nn.Tanh: ("tanh", ()),
    nn.Softplus: ("softplus", ("beta", "threshold")),
    nn.LogSigmoid: ("log_sigmoid", ()),
    nn.Softsign: ("softsign", ()),
}
"""The curve of a module, and which of its attributes are its parameters."""


def curve_of(module: nn.Module) -> tuple[curves.Range, list[float]]:
    """The curve of a module and its parameters."""
    name, parameters = CURVES[type(module)]
    values = [getattr(module, parameter) for parameter in parameters]
    return curves.RANGES[name], [v == "tanh" if isinstance(v, str) else v for v in values]


def layouts(case: Saved, dtype: torch.dtype) -> dict[str, Tensor]:
    """The input as it may lie in memory."""
    x = case.input(dtype=dtype)
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    found = {"contiguous": x, "slice": torch.cat([x, x], 1)[:, 1:4], "one image": x[:1]}
    found["reversed"] = (
        x.permute(*reversed(range(x.dim()))).contiguous().permute(*reversed(range(x.dim())))
    )
    if x.dim() in formats:
        found["channels last"] = x.contiguous(memory_format=formats[x.dim()])
    return found


def plain_gradient(output: Tensor) -> Tensor:
    return torch.randn(output.shape, dtype=output.dtype)


def has(case: Saved, dtype: torch.dtype) -> bool:
    """Whether torch has this on a CPU."""
    return not isinstance(case.build(), nn.AvgPool3d) or dtype.itemsize > 2


@every_exact
@every_float
def test_outputs_and_gradients_are_torchs(case: Saved, dtype: torch.dtype) -> None:
    if not has(case, dtype):
        return
    exact, ours = case.pair()
    for name, x in layouts(case, dtype).items():
        output, gradient, theirs = run(exact, x)
        our_output, _, our_gradient = run(ours, x, gradient)
        assert_same_bits(our_output, output)
        assert our_output.stride() == output.stride(), name
        assert_same_bits(our_gradient, theirs)
        turned = gradient.transpose(0, 1).contiguous().transpose(0, 1)
        assert_same_bits(run(ours, x, turned)[2], run(exact, x, turned)[2])


@every_case
@every_float
def test_outputs_are_torchs(case: Saved, dtype: torch.dtype) -> None:
    if not has(case, dtype):
        return
    exact, ours = case.pair()
    x = case.input(dtype=dtype)
    assert_same_bits(run(ours, x)[0], run(exact, x)[0])


@every_case
def test_what_is_kept(case: Saved) -> None:
    exact, ours = case.pair()
    for dtype in (torch.float32, torch.float16):
        if not has(case, dtype):
            continue
        x = case.input(dtype=dtype).requires_grad_() + 0
        assert kept_bytes(ours, x) == case.kept(x.numel(), exact(x).shape)
    x = case.input().requires_grad_()
    assert kept_bytes(ours, x) <= kept_bytes(exact, x)


@every_case
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode], ids=lambda m: m.__name__)
def test_nothing_is_kept_without_a_backward_pass(
    case: Saved, mode: Callable[[], torch.no_grad]
) -> None:
    exact, ours = case.pair()
    x = case.input()
    state = torch.get_rng_state()
    with mode():
        output = ours(x)
        after = torch.get_rng_state()
        torch.set_rng_state(state)
        assert_same_bits(output, exact(x))
    assert torch.equal(torch.get_rng_state(), after)
    assert kept_bytes(ours, x) == 0


@every_case
def test_an_empty_batch(case: Saved) -> None:
    exact, ours = case.pair()
    x = case.input()[:0]
    for theirs, found in zip(run(exact, x), run(ours, x), strict=True):
        assert_same_bits(found, theirs)


@every_case
def test_swapped_and_reverted(case: Saved) -> None:
    exact, ours = case.pair()
    model = nn.Sequential(ours)
    assert isinstance(ours, Saving) and isinstance(ours, type(exact))
    (entry,) = account(model)
    assert entry.swapped and entry.reason
    assert ours.state_dict().keys() == exact.state_dict().keys()
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert type(other[0]) is type(ours)
        assert_same_bits(run(other, case.input())[2], run(model, case.input())[2])
    assert repr(ours).removeprefix("X").removeprefix("Bit") == repr(exact)
    revert(model)
    assert type(model[0]) is type(exact) and vars(model[0]).keys() == vars(exact).keys()


@every_case
def test_evaluation_is_torchs(case: Saved) -> None:
    exact, ours = (module.eval() for module in case.pair())
    for found, theirs in zip(run(ours, case.input()), run(exact, case.input()), strict=True):
        assert_same_bits(found, theirs)


def slopes_between_levels(exact: nn.Module, bits: int) -> Tensor:
    """Inputs whose slopes lie well between two levels, so that means of samples are normal: with a
    chance f of the upper one from 0.15 to 0.85, the skewness is 2 at the most."""
    curve, parameters = curve_of(exact)
    x = torch.linspace(-6, 6, 4001, dtype=torch.float64)
    fractions = curve.positions(x, 2**bits - 1, *parameters).frac()
    return x[(fractions > 0.15) & (fractions < 0.85)][::37]


@every_range
@pytest.mark.parametrize("bits", [4, 8])
def test_rounded_slopes_are_unbiased(case: Saved, bits: int) -> None:
    """The gradient to ones are the slopes; each lies within one level of the true one."""
    exact, ours = case.pair(act_bits=bits)
    x = slopes_between_levels(exact, bits)
    assert len(x) > 20
    expected = run(exact, x, torch.ones_like(x))[2]
    leaf = x.repeat(FEWEST_SAMPLES, 1).requires_grad_()
    torch.manual_seed(0)
    (samples,) = torch.autograd.grad(ours(leaf).sum(), leaf)
    check_mean(samples, expected)
    step = {4: 2 / 14, 8: 2 / 254}[bits]
    assert (samples - expected).abs().max() <= step


@every_range
@pytest.mark.parametrize("top", [15, 255])
def test_the_levels_next_to_a_slope_average_to_it(case: Saved, top: int) -> None:
    exact = case.build()
    curve, parameters = curve_of(exact)
    x = torch.linspace(-40, 40, 100_001, dtype=torch.float64)
    positions = curve.positions(x, top, *parameters)
    assert positions.min() >= 0 and positions.max() <= top
    levels = torch.tensor(curve.levels(top, *parameters), dtype=torch.float64)
    lower = positions.long()
    found = torch.lerp(levels[lower], levels[(lower + 1).clamp(max=top)], positions.frac())
    torch.testing.assert_close(found, run(exact, x, torch.ones_like(x))[2], atol=1e-12, rtol=0)


@every_range
def test_saturated_slopes_are_exact(case: Saved) -> None:
    exact, ours = case.pair()
    x = torch.tensor([-60.0, 60.0] * 4000)
    if isinstance(exact, nn.Softsign):
        x = torch.zeros(8000)
    assert torch.allclose(run(ours, x, torch.ones_like(x))[2],
                          run(exact, x, torch.ones_like(x))[2], atol=1e-6)  # fmt: skip


@every_range
def test_what_is_not_finite_shows(case: Saved) -> None:
    exact, ours = case.pair()
    x = torch.full((16,), torch.nan)
    theirs = run(exact, x, torch.ones_like(x))[2]
    if theirs.isnan().all():
        x[1:] = 0.5
        assert run(ours, x, torch.ones_like(x))[2].isnan().any()


@every_exact
def test_gradients_of_gradients_are_torchs(case: Saved) -> None:
    if isinstance(case.build(), nn.Hardsigmoid):  # which has none in torch
        return
    found = []
    for layer in case.pair():
        leaf = case.input(dtype=torch.float64).requires_grad_()
        torch.manual_seed(0)
        loss = layer(leaf * 2).pow(3).sum()
        (first,) = torch.autograd.grad(loss, leaf, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), leaf, create_graph=True)
        (third,) = torch.autograd.grad(second.square().sum(), leaf)
        found.append((first, second, third))
    torch.testing.assert_close(found[1], found[0])


@every_range
def test_rounded_slopes_have_no_derivative_and_say_so(case: Saved) -> None:
    _, ours = case.pair()
    leaf = case.input().requires_grad_()
    (first,) = torch.autograd.grad(ours(leaf).sum(), leaf, create_graph=True)
    for loss in (first.sum(), first.sum() + leaf.sum()):
        with pytest.raises(RuntimeError, match=r"rounded slopes and has no derivative; .* exact"):
            torch.autograd.grad(loss, leaf, retain_graph=True)


@every_case
def test_several_gradients_at_once(case: Saved) -> None:
    _, ours = case.pair()
    leaf = case.input().requires_grad_()
    output = ours(leaf)
    directions = torch.randn(3, *output.shape)
    each = [torch.autograd.grad(output, leaf, d, retain_graph=True)[0] for d in directions]
    (batched,) = torch.autograd.grad(output, leaf, directions, is_grads_batched=True)
    torch.testing.assert_close(batched, torch.stack(each))


@every_case
def test_transforms_are_torchs(case: Saved) -> None:
    exact, ours = (m.eval() if case.family == "dropout" else m for m in case.pair())
    x = case.input(dtype=torch.float64)
    for call in (
        lambda layer: torch.func.grad(lambda y: layer(y).sin().sum())(x),
        lambda layer: torch.func.vmap(torch.func.grad(lambda y: layer(y).sum()))(x),
        lambda layer: torch.func.jvp(layer, (x,), (x,)),
    ):
        torch.testing.assert_close(call(ours), call(exact))


@every_case
@pytest.mark.parametrize("reentrant", [False, True], ids=["direct", "reentrant"])
def test_checkpoints_draw_the_same_twice(case: Saved, reentrant: bool) -> None:
    """Dropout behind the layer shows whether it left the generator in the same place."""
    model = nn.Sequential(case.pair()[1], nn.Dropout(0.4))
    x = case.input()
    expected = run(model, x)
    actual = run(lambda y: checkpoint(model, y, use_reentrant=reentrant), x, expected[1])
    for found, theirs in zip(actual, expected, strict=True):
        assert_same_bits(found, theirs)


@every_case
def test_compiled_in_one_graph(case: Saved) -> None:
    _, ours = case.pair()
    torch._dynamo.reset()
    compiled = torch.compile(ours, backend="aot_eager", fullgraph=True)
    x = case.input()
    expected = run(ours, x, make=plain_gradient)
    for found, eager in zip(run(compiled, x, expected[1]), expected, strict=True):
        torch.testing.assert_close(found, eager, equal_nan=True)


@every_case
def test_symbolic_tracing_sees_a_leaf(case: Saved) -> None:
    model = nn.Sequential(case.pair()[1])
    traced = fx.symbolic_trace(model)
    assert [node.op for node in traced.graph.nodes] == ["placeholder", "call_module", "output"]
    assert traced.get_submodule("0") is model[0]


@every_case
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_scripts_and_traces_are_torchs(case: Saved) -> None:
    exact, ours = (module.eval() for module in case.pair())
    x = case.input()
    torch.testing.assert_close(torch.jit.script(ours)(x), exact(x))
    traced = torch.jit.trace(ours, x)
    assert "PythonOp" not in str(traced.inlined_graph)
    assert "xconv::" not in str(traced.inlined_graph)


@every_case
def test_autocast_is_torchs(case: Saved) -> None:
    exact, ours = case.pair()
    outputs = []
    for layer in (exact, ours):
        torch.manual_seed(0)
        leaf = case.input().requires_grad_()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            output = layer(leaf)
        output.float().sum().backward()
        assert leaf.grad is not None and leaf.grad.dtype == torch.float32
        outputs.append(output)
    assert_same_bits(*outputs)


IN_PLACE = {
    name: case for name, case in EVERY.items() if hasattr(case.build(), "inplace")
    and not isinstance(case.build(), nn.AlphaDropout | nn.FeatureAlphaDropout)
}  # fmt: skip


@pytest.mark.parametrize("case", IN_PLACE.values(), ids=IN_PLACE)
def test_in_place_means_the_same_memory(case: Saved) -> None:
    exact, ours = case.pair()
    expected = run(ours, case.input())
    exact.inplace = ours.inplace = True
    x = case.input().requires_grad_() + 0
    version, address = x._version, x.data_ptr()
    torch.manual_seed(0)
    output = ours(x)
    assert output.data_ptr() == address and output._version > version
    assert_same_bits(output, expected[0])
    assert_same_bits(run(ours, case.input(), expected[1])[2], expected[2])
    for layer in (exact, ours):
        with pytest.raises(RuntimeError, match="leaf Variable"):
            layer(case.input().requires_grad_())
