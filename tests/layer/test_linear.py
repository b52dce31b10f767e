"""Linear layers over many rows keep their input in a few bits; over few rows they are torch's."""

import copy
import pickle
from collections.abc import Iterator
from math import prod
from typing import Any
from unittest import mock

import pytest
import torch
from geometries import DRAWN
from hypothesis import given
from hypothesis import strategies as st
from layer_cases import assert_close, assert_same, gradients, kept_bytes
from statistics_checker import check_mean
from torch import Tensor, fx, nn
from torch.utils.checkpoint import checkpoint

import xconv
from xconv.probing import Probing
from xconv.saved.linear import XLinear, rows_probing

SEED_BYTES = 8
SHAPES = [(40, 6), (4, 30, 6), (2, 3, 11, 6)]
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


def pair(inputs: int = 6, outputs: int = 5, bits: int = 2, **kwargs: Any) -> tuple[Any, Any]:
    """torch's layer and ours, of equal weights."""
    torch.manual_seed(0)
    exact = nn.Linear(inputs, outputs, **kwargs)
    ours = XLinear(inputs, outputs, bits=bits, **kwargs)
    ours.load_state_dict(exact.state_dict())
    return exact, ours


def rows(shape: tuple[int, ...], dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(shape, generator=generator).to(dtype).requires_grad_()


def step(layer: nn.Module, input: Tensor) -> list[Tensor]:
    """Output, and gradients of input, weight and bias."""
    output = layer(input)
    delta = torch.linspace(-1, 1, output.numel(), dtype=output.dtype).view(output.shape).cos()
    return [output, *torch.autograd.grad(output, [input, *layer.parameters()], delta)]


@every_shape
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_all_but_the_weight_gradient_is_torch_s(
    shape: tuple[int, ...], bias: bool, dtype: torch.dtype
) -> None:
    exact, ours = pair(bias=bias, dtype=dtype, bits=8)
    found, expected = step(ours, rows(shape, dtype)), step(exact, rows(shape, dtype))
    assert found[0].equal(expected[0])
    tolerance = {"rtol": 2e-2, "atol": 2e-2} if dtype.itemsize == 2 else {}
    torch.testing.assert_close(found[1], expected[1], **tolerance)
    torch.testing.assert_close(found[3:], expected[3:], **tolerance)
    assert found[2].dtype == dtype and found[2].stride() == ours.weight.stride()
    assert (found[2] - expected[2]).norm() < 0.05 * expected[2].norm()
    assert not found[2].equal(expected[2])


@DRAWN
@given(st.lists(st.integers(1, 40), min_size=1, max_size=3), st.integers(1, 20), st.integers(1, 9))
def test_any_number_of_rows(leading: list[int], inputs: int, outputs: int) -> None:
    exact, ours = pair(inputs, outputs, bits=8, dtype=torch.float64)
    x = rows((*leading, inputs))
    with mock.patch("xconv.schemes.rebuilt.AT_A_TIME", {"cpu": 100}):
        found, expected = step(ours, x), step(exact, x)
    assert found[0].equal(expected[0])
    limit = 0.02 * x.abs().max() * x.numel() ** 0.5
    assert (found[2] - expected[2]).abs().max() < limit
    if prod(leading) <= outputs:
        assert found[2].equal(expected[2])


@pytest.mark.parametrize("bits", [1, 2])
def test_the_mean_over_seeds_is_the_exact_gradient(bits: int) -> None:
    exact, ours = pair(bits=bits, dtype=torch.float64)
    x = rows((4, 30, 6))
    samples = torch.stack([step(ours, x)[2] for _ in range(1000)])
    check_mean(samples, step(exact, x)[2])


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@every_shape
def test_bytes_kept(shape: tuple[int, ...], bits: int) -> None:
    _, ours = pair(bits=bits)
    groups = -(-prod(shape) // 256)
    expected = groups * (256 * bits // 8 + 8) + SEED_BYTES
    assert kept_bytes(ours, rows(shape, torch.float32)) == expected


@every_shape
def test_a_frozen_weight_keeps_nothing(shape: tuple[int, ...]) -> None:
    exact, ours = pair(dtype=torch.float64)
    for layer in (exact, ours):
        layer.weight.requires_grad_(False)
    assert kept_bytes(ours, rows(shape)) == 0
    found = [torch.autograd.grad(m(x := rows(shape)), x, m(x))[0] for m in (exact, ours)]
    torch.testing.assert_close(found[1], found[0])


def test_few_rows_are_torch_s() -> None:
    """A weight's gradient takes more than such an input."""
    exact, ours = pair(6, 50)
    found, expected = (
        step(ours, rows((49, 6), torch.float32)),
        step(exact, rows((49, 6), torch.float32)),
    )
    assert all(a.equal(b) for a, b in zip(found, expected, strict=True))
    (entry,) = xconv.account(ours)
    assert not entry.swapped and "no larger than its weight" in entry.reason
    ours(rows((51, 6), torch.float32))
    (entry,) = xconv.account(ours)
    assert entry.swapped and entry.reason == "quantized, 2 bits an element"


@pytest.mark.parametrize(
    ("dials", "bits"),
    [
        ({}, 2), ({"bits": 0.1}, 2), ({"bits": 2.5}, 4), ({"bits": 8}, 8), ({"probes": 4}, 2),
        ({"scheme": "quantized", "bits": 1}, 1), ({"keep": 0.5}, 2),
    ],
)  # fmt: skip
def test_bits_follow_those_of_convolutions(dials: dict[str, Any], bits: int) -> None:
    assert rows_probing(Probing(**dials)) == Probing(scheme="quantized", bits=bits)
    model = xconv.convert(nn.Sequential(nn.Tanh(), nn.Linear(3, 4)), compress="all",
                          first="compressed", **dials)  # fmt: skip
    assert repr(model[1]).endswith(f"bits={bits})")


def test_without_probes_it_is_exact() -> None:
    model = xconv.convert(nn.Sequential(nn.Linear(3, 4)), probes=0, compress="all")
    assert xconv.account(model)[0].reason == "probes=0, the exact layer"
    assert kept_bytes(model, rows((40, 3), torch.float32)) == 40 * 3 * 4


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(6, 16),
        nn.LayerNorm(16),
        nn.Tanh(),
        nn.Linear(16, 16),
        nn.Tanh(),
        nn.Linear(16, 3),
    )


def converted(**kwargs: Any) -> nn.Sequential:
    return xconv.convert(network(), compress=["norm", "linear"], **kwargs)


def test_the_first_layer_is_exact_as_its_input_is_held_anyway() -> None:
    x = rows((8, 30, 6), torch.float32).detach()
    expected, model = gradients(network(), x), converted(norm_bits=8)
    found = gradients(model, x)
    assert "its input is the batch" in xconv.account(model)[0].reason
    kinds = {e.name: e.swapped for e in xconv.account(model)}
    assert [kinds[name] for name in ("0", "1", "3", "5")] == [False, True, True, True]
    assert not found["5.weight"].equal(expected["5.weight"])
    model = converted(first="compressed")
    gradients(model, x)
    left = {entry.name for entry in xconv.account(model).left}
    assert left.isdisjoint({"0", "1", "3", "5"})


def test_convert_and_revert() -> None:
    model = converted()
    assert type(model[3]) is XLinear
    xconv.revert(model)
    assert type(model[3]) is nn.Linear and "_xconv" not in vars(model[3])
    assert_same(model.state_dict(), network().state_dict())


def test_attention_reads_the_weight_itself() -> None:
    model = xconv.convert(nn.MultiheadAttention(8, 2), compress="all")
    (entry,) = xconv.account(model)
    assert not entry.swapped and "MultiheadAttention" in entry.reason


@pytest.fixture
def fresh_compiler() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def test_a_compiled_network(fresh_compiler: None) -> None:
    model = converted(first="compressed")
    run = torch.compile(model, backend="aot_eager", fullgraph=True)
    for batch in (8, 9):
        x = rows((batch, 30, 6), torch.float32)
        assert_close(gradients(model, x, run=run), gradients(model, x), 1e-4)


@pytest.mark.parametrize("reentrant", [False, True], ids=["direct", "reentrant"])
def test_a_checkpoint(reentrant: bool) -> None:
    model = nn.Sequential(converted(), nn.Dropout(0.3))
    x = rows((8, 30, 6), torch.float32)
    expected = gradients(model, x)
    found = gradients(model, x, run=lambda x: checkpoint(model, x, use_reentrant=reentrant))
    assert_same(found, expected)


def test_derivatives_of_gradients() -> None:
    """The gradient of the input has them; that of the weight says that it has none."""
    found = []
    for layer in pair(dtype=torch.float64):
        x = rows((4, 30, 6))
        (first,) = torch.autograd.grad(layer(x).sin().sum(), x, create_graph=True)
        found.append(torch.autograd.grad(first.square().sum(), x)[0])
    torch.testing.assert_close(found[1], found[0])
    _, ours = pair()
    (first,) = torch.autograd.grad(
        ours(rows((4, 30, 6), torch.float32)).sum(), ours.weight, create_graph=True
    )
    with pytest.raises(RuntimeError, match="estimated weight gradient has no derivative"):
        first.sum().backward()


def test_torch_func_is_torch_s() -> None:
    exact, ours = pair(dtype=torch.float64)
    x = rows((4, 30, 6)).detach()
    for call in (
        lambda layer: torch.func.jvp(layer, (x,), (x,)),
        lambda layer: torch.func.vmap(torch.func.grad(lambda x: layer(x).sin().sum()))(x),
    ):
        torch.testing.assert_close(call(ours), call(exact))


def test_several_gradients_at_once_are_refused() -> None:
    _, ours = pair()
    output = ours(rows((40, 6), torch.float32)).sum(0)[:2]
    with pytest.raises(RuntimeError, match="one output gradient at a time"):
        torch.autograd.grad(output, ours.weight, torch.eye(2), is_grads_batched=True)


def test_autocast() -> None:
    exact, ours = pair(bits=8)
    found = []
    for layer in (exact, ours):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            output = layer(rows((40, 6), torch.float32))
        output.sum().backward()
        found.append((output, layer.weight.grad, layer.bias.grad))
    assert found[1][0].equal(found[0][0]) and found[1][1].dtype == torch.float32
    assert (found[1][1] - found[0][1]).norm() < 0.05 * found[0][1].norm()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tools_that_write_a_network_down_see_torch_s() -> None:
    model, x = converted(), rows((8, 30, 6), torch.float32).detach()
    expected = network()(x)
    assert "xconv::" not in str(torch.jit.trace(model, x).inlined_graph)
    torch.testing.assert_close(torch.jit.script(copy.deepcopy(model))(x), expected)
    graph = fx.symbolic_trace(copy.deepcopy(model))
    assert isinstance(graph.get_submodule("3"), XLinear) and graph(x).equal(expected)
    with torch.no_grad():
        assert "xconv" not in str(torch.export.export(model, (x,)).graph)


def test_copies() -> None:
    model = converted()
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert repr(twin) == repr(model)
        x = rows((8, 30, 6), torch.float32)
        assert_same(gradients(twin, x), gradients(model, x))


def test_errors_are_torch_s() -> None:
    errors = []
    for layer in pair():
        with pytest.raises(RuntimeError) as caught:
            layer(torch.randn(40, 7))
        errors.append(str(caught.value))
    assert errors[0] == errors[1]
    with pytest.raises(ValueError, match="bits of quantized must be one of 1, 2, 4, 8; got 3"):
        XLinear(6, 5, bits=3)
