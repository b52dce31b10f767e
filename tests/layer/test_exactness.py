"""The estimate is the weight gradient of x̂ = Z Zᵀ x / r, and x̂ = x where Z is complete.

Everything that may differ between two ways to compute it is drawn: geometry, memory format, order
of computing, number of probes at a time.
"""

from math import prod
from typing import Any
from unittest import mock

import pytest
import torch
from complete_probes import complete_probes, handed_out, projected
from geometries import DRAWN, Case, cases, conv_case
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

import xconv.probing
from xconv.layout import Layout
from xconv.random import draw_seed
from xconv.schemes import PROBED, Probes

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same'")

ROUNDING = {"rtol": 1e-9, "atol": 1e-9}
"""float64. Sums of some thousand products, and a Q from QR that is orthogonal to 1e-14."""

every_scheme = pytest.mark.parametrize("scheme", PROBED.values(), ids=PROBED)
both_orders = pytest.mark.parametrize("expanding", [False, True], ids=["correlate", "expand"])


def ordered(scheme: Probes, expanding: bool) -> Any:
    """Inside, ``scheme`` computes in this order whatever the sizes."""
    return mock.patch.object(type(scheme), "expanding_costs_less", return_value=expanding)


def torch_weight_gradient(case: Case, input: Tensor) -> Tensor:
    layer = case.torch_layer()
    output = layer(input)
    (gradient,) = torch.autograd.grad(output, layer.weight, case.output_gradient(output))
    return gradient


@every_scheme
@both_orders
@settings(DRAWN, max_examples=60)
@given(case=cases(max_pixels=36, max_channels=3), portion=st.sampled_from([1, 0.6, 0.3, 0]))
def test_a_complete_set_of_probes_gives_the_exact_gradient(
    scheme: Probes, expanding: bool, case: Case, portion: float
) -> None:
    input = case.input().detach()
    layout = Layout.of(input)
    probes = complete_probes(scheme, layout)
    size = max(1, int(portion * len(probes)))
    sketch = scheme.sketch(input, handed_out(scheme, probes, size, layout))
    assert tuple(sketch.shape) == scheme.sketch_shape(layout, len(probes))
    weight = case.torch_layer().weight.data
    output = case.geometry.convolve(input, weight, None)
    with ordered(scheme, expanding):
        estimate = scheme.weight_gradient(
            sketch, handed_out(scheme, probes, size, layout), len(probes),
            case.output_gradient(output), case.geometry, layout, torch.zeros_like(weight),
        )  # fmt: skip
    torch.testing.assert_close(estimate, torch_weight_gradient(case, input), **ROUNDING)


def drawn_probes(case: Case, scheme: Probes, probes: int, distribution: str, size: int) -> Tensor:
    """The probes of the next call of a layer after ``torch.manual_seed(0)``."""
    torch.manual_seed(0)
    layout = Layout.of(case.input())
    chunks = scheme.chunks(draw_seed(), probes, size, layout, distribution)
    return torch.cat([chunk for _, chunk in chunks])


@every_scheme
@both_orders
@pytest.mark.parametrize("size", [1, 2, 5], ids=lambda size: f"{size} at a time")
@settings(DRAWN, max_examples=20)
@given(case=cases(), distribution=st.sampled_from(["rademacher", "gaussian"]))
def test_a_layer_estimates_with_the_gradient_of_its_projected_input(
    scheme: Probes, expanding: bool, size: int, case: Case, distribution: str
) -> None:
    """The public layer, from forward to ``weight.grad``, against the definition."""
    probes = 5
    assume(prod(case.input_shape[2 if scheme.name == "independent" else 1 :]) > probes)
    z = drawn_probes(case, scheme, probes, distribution, size)
    layer = case.probed_layer(probes=probes, scheme=scheme.name, distribution=distribution)
    input = case.input()
    with ordered(scheme, expanding), mock.patch.object(type(scheme), "chunk_size") as chunk_size:
        chunk_size.return_value = size
        torch.manual_seed(0)
        output = layer(input)
        output.backward(case.output_gradient(output))
    expected = torch_weight_gradient(case, projected(input.detach(), z))
    torch.testing.assert_close(layer.weight.grad, expected, **ROUNDING)


@every_scheme
def test_the_backward_pass_draws_the_probes_of_the_forward_pass(scheme: Probes) -> None:
    """Chunks of the size that the scheme itself chooses; several of them."""
    case = conv_case((4, 4, 160, 160), 2, 3, padding=1)
    drawn: list[list[Tensor]] = []

    def recording(*args: Any, **kwargs: Any) -> Any:
        pairs = list(original(*args, **kwargs))
        drawn.append([chunk.clone() for _, chunk in pairs])
        return iter(pairs)

    original = scheme.chunks
    layer = case.probed_layer(probes=20, scheme=scheme.name)
    with mock.patch.object(type(scheme), "chunks", side_effect=recording):
        layer(case.input()).sum().backward()
    forward, backward = drawn
    assert len(forward) > 1
    assert all(map(torch.equal, forward, backward))


@every_scheme
def test_parts_of_a_batch_add_up(scheme: Probes) -> None:
    """Where x̂ would not stay in the CPU's cache, it is formed for some images at a time."""
    case, probes = conv_case((7, 2, 5, 5), 3, 3, padding=1), 3
    z = drawn_probes(case, scheme, probes, "rademacher", probes)
    layer, input = case.probed_layer(probes=probes, scheme=scheme.name), case.input()
    with (
        ordered(scheme, expanding=True),
        mock.patch.object(type(scheme), "chunk_size", return_value=probes),
        mock.patch("xconv.schemes.base._CACHED_ELEMENTS", 2 * 2 * 5 * 5),
        mock.patch.object(Layout, "empty", autospec=True, side_effect=Layout.empty) as empty,
    ):
        torch.manual_seed(0)
        output = layer(input)
        output.backward(case.output_gradient(output))
    assert empty.call_count == 4  # two images, three times, and one
    expected = torch_weight_gradient(case, projected(input.detach(), z))
    torch.testing.assert_close(layer.weight.grad, expected, **ROUNDING)


@every_scheme
def test_the_layer_uses_the_order_that_the_scheme_names(scheme: Probes) -> None:
    """With one probe none of them expands; with many all do. Otherwise the tests above are idle."""
    layout = Layout.of(torch.empty(4, 64, 16, 16))
    weight, output = torch.Size([64, 64, 3, 3]), torch.Size([4, 64, 16, 16])
    assert not scheme.expanding_costs_less(layout, 1, weight, output)
    assert scheme.expanding_costs_less(layout, 200, weight, output)


def test_a_sketch_smaller_than_the_input_is_made_and_a_larger_one_is_not() -> None:
    layout = torch.empty(2, 3, 4, 4)
    saves = {
        name: [n for n in range(1, 60) if not xconv.probing.Probing(n, name).why_exact(layout)]
        for name in PROBED
    }
    assert {name: max(counts) for name, counts in saves.items()} == {
        "independent": 15, "multi": 47, "orthogonal": 47,
    }  # fmt: skip
