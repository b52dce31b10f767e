"""The estimate is the weight gradient of x̂ = Z Zᵀ x / r, and x̂ = x where Z is complete.

Everything that may differ between two ways to compute it is drawn: geometry, memory format, order
of computing, number of probes and of images at a time. In float64, whose sketches are not rounded.
"""

from collections.abc import Iterator
from math import prod
from typing import Any
from unittest import mock

import pytest
import torch
from complete_probes import (
    WAYS,
    complete_probes,
    drawn_probes,
    handed_out,
    is_single,
    ordered,
    probe_shape,
    projected,
    sets,
)
from geometries import DRAWN, Case, cases, conv_case
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from xconv.layout import Layout
from xconv.probing import Probing, estimate_gradient, keep
from xconv.random import draw_seed
from xconv.schemes import PROBED

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same'")

ROUNDING = {"rtol": 1e-9, "atol": 1e-9}
"""float64. Sums of some thousand products, and a Q from QR that is orthogonal to 1e-14."""


@pytest.fixture(params=["by groups", "through windows"])
def every_device(request: pytest.FixtureRequest) -> Iterator[None]:
    """As on a CPU, and as on other devices."""
    grouped = request.param == "by groups"
    with mock.patch("xconv.schemes.single.by_groups", return_value=grouped):
        yield


every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
both_orders = pytest.mark.parametrize("expanding", [False, True], ids=["correlate", "expand"])


def torch_weight_gradient(case: Case, input: Tensor) -> Tensor:
    layer = case.torch_layer()
    output = layer(input)
    (gradient,) = torch.autograd.grad(output, layer.weight, case.output_gradient(output))
    return gradient


@every_way
@both_orders
@pytest.mark.usefixtures("every_device")
@settings(DRAWN, max_examples=60)
@given(
    case=cases(max_pixels=36, max_channels=3),
    portion=st.sampled_from([1, 0.6, 0.3, 0]),
    images=st.integers(1, 3),
)
def test_a_complete_set_of_probes_gives_the_exact_gradient(
    way: dict[str, Any], expanding: bool, case: Case, portion: float, images: int
) -> None:
    input = case.input().detach()
    layout, weight = Layout.of(input), case.torch_layer().weight.data
    output = case.geometry.convolve(input, weight, None)
    complete = complete_probes(Probing(1, **way), layout)
    probing = Probing(complete.shape[1], **way)
    columns = max(1, int(portion * complete.shape[1]))
    with ordered(probing, expanding), handed_out(probing, complete, images, columns):
        kept = keep(input, torch.tensor(0), probing, layout, weight.shape, output.shape)
        estimate = estimate_gradient(
            kept, case.output_gradient(output), case.geometry, probing, layout,
            torch.zeros_like(weight), torch.float64,
        )  # fmt: skip
    torch.testing.assert_close(estimate, torch_weight_gradient(case, input), **ROUNDING)


def random_probes(probing: Probing, layout: Layout) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    shape = sets(probing, layout), probing.probes or 0, *probe_shape(probing, layout)
    return torch.randn(shape, dtype=layout.dtype, generator=generator)


@every_way
@both_orders
@pytest.mark.parametrize("size", [1, 2, 5], ids=lambda size: f"{size} at a time")
@settings(DRAWN, max_examples=20)
@given(case=cases())
def test_a_layer_estimates_with_the_gradient_of_its_projected_input(
    way: dict[str, Any], expanding: bool, size: int, case: Case
) -> None:
    """The public layer, from forward to ``weight.grad``, against the definition."""
    probing = Probing(5, **way)
    assume(prod(case.input_shape[2 if is_single(probing) else 1 :]) > 6)
    layer = case.probed_layer(probes=5, **way)
    input = case.input()
    z = random_probes(probing, Layout.of(input))
    with ordered(probing, expanding), handed_out(probing, z, size, size):
        output = layer(input)
        output.backward(case.output_gradient(output))
    expected = torch_weight_gradient(case, projected(input.detach(), z, probing))
    torch.testing.assert_close(layer.weight.grad, expected, **ROUNDING)


@every_way
@pytest.mark.parametrize("probes", [3, 40])
@pytest.mark.parametrize("distribution", ["rademacher", "gaussian"])
def test_so_it_does_with_the_probes_that_it_draws_itself(
    distribution: str, probes: int, way: dict[str, Any]
) -> None:
    """In parts of the size that the scheme itself chooses, several of them."""
    case = conv_case((7, 5, 24, 22), 3, 3, padding=1)
    probing = Probing(probes, distribution=distribution, **way)
    layer, input = case.probed_layer(probes=probes, distribution=distribution, **way), case.input()
    with (
        mock.patch("xconv.schemes.independent.SMALL_CHUNK", 0),
        mock.patch("xconv.schemes.multi.SMALL_CHUNK", 0),
        mock.patch("xconv.schemes.independent.CACHED", 30000),
    ):
        shapes = layer.weight.shape, layer(input).shape
        torch.manual_seed(0)
        z = drawn_probes(probing, Layout.of(input), int(draw_seed()), 0, *shapes)
        torch.manual_seed(0)
        output = layer(input)
        output.backward(case.output_gradient(output))
    expected = torch_weight_gradient(case, projected(input.detach(), z, probing))
    torch.testing.assert_close(layer.weight.grad, expected, **ROUNDING)


@every_way
def test_the_backward_pass_draws_the_probes_of_the_forward_pass(way: dict[str, Any]) -> None:
    """Chunks of the size that the scheme itself chooses; several of them."""
    case = conv_case((4, 4, 160, 160), 2, 3, padding=1)
    drawn: list[Tensor] = []

    def recording(*args: Any, **kwargs: Any) -> Any:
        probes = original(*args, **kwargs)
        drawn.append(probes.clone())
        return probes

    scheme = PROBED[way["scheme"]]
    original = scheme.draw
    layer = case.probed_layer(probes=20, **way)
    with mock.patch.object(type(scheme), "draw", side_effect=recording):
        layer(case.input()).sum().backward()
    half = len(drawn) // 2
    assert half > 1
    assert all(map(torch.equal, drawn[:half], drawn[half:]))


@pytest.mark.parametrize("way", [WAYS["multi"], WAYS["orthogonal"]], ids=["multi", "orthogonal"])
def test_parts_of_a_batch_add_up(way: dict[str, Any]) -> None:
    """Where x̂ would not stay in the CPU's cache, it is formed for some images at a time."""
    case, probing = conv_case((7, 2, 5, 5), 3, 3, padding=1), Probing(3, **way)
    layer, input = case.probed_layer(probes=3, **way), case.input()
    z = random_probes(probing, Layout.of(input))
    with (
        ordered(probing, expanding=True),
        handed_out(probing, z),
        mock.patch("xconv.schemes.multi._CACHED_ELEMENTS", 2 * 2 * 5 * 5),
        mock.patch.object(Layout, "empty", autospec=True, side_effect=Layout.empty) as empty,
    ):
        output = layer(input)
        output.backward(case.output_gradient(output))
    assert empty.call_count == 4  # two images, three times, and one
    expected = torch_weight_gradient(case, projected(input.detach(), z, probing))
    torch.testing.assert_close(layer.weight.grad, expected, **ROUNDING)


@every_way
def test_the_layer_uses_the_order_that_the_scheme_names(way: dict[str, Any]) -> None:
    """With one probe none of them expands; with many all do. Otherwise the tests above are idle."""
    layout = Layout.of(torch.empty(4, 64, 16, 16))
    weight, output = torch.Size([64, 64, 3, 3]), torch.Size([4, 64, 16, 16])
    few, many = Probing(1, **way), Probing(200, **way)
    scheme = PROBED[way["scheme"]]
    if is_single(few):
        assert not scheme._expands(layout, few, weight, output)
        assert scheme._expands(layout, many, weight, output)
    else:
        assert not scheme.expanding_costs_less(layout, 1)
        assert scheme.expanding_costs_less(layout, 200)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
def test_a_sketch_smaller_than_the_input_is_made_and_a_larger_one_is_not(
    dtype: torch.dtype,
) -> None:
    """Smaller in bytes and in numbers, those of the means included: four bytes each at least."""
    layout = torch.empty(2, 3, 4, 4, dtype=dtype)
    most = {
        name: max(n for n in range(1, 60) if not Probing(n, **way).why_exact(layout))
        for name, way in WAYS.items()
    }
    centred = 13 if dtype == torch.bfloat16 else 14
    assert most == {
        "independent": centred, "independent, shared": 15, "multi": 47, "orthogonal": 47,
    }  # fmt: skip
