"""``torch.library.opcheck``: what our operators tell compilers and simulations is so."""

from collections.abc import Callable
from itertools import cycle
from typing import Any

import pytest
import torch
from layer_cases import CONV2D, KINDS, Kind
from operator_cases import DTYPES, LAYOUTS, SEED, check, every_dtype, every_layout, operator
from torch import Tensor
from torch.library import opcheck

import xconv  # noqa: F401 (registers the operators)
from xconv import compiled
from xconv.layout import Layout
from xconv.probing import Probing
from xconv.schemes import PROBED, SCHEMES
from xconv.spectrum.blocks import blocks_of
from xconv.spectrum.plan import nominal_plan

every_scheme = pytest.mark.parametrize("scheme", SCHEMES)


def all_operators() -> set[str]:
    """Return the names of ours that the dispatcher knows."""
    names = torch._C._dispatch_get_all_op_names()
    return {name.split("::")[1] for name in names if name.startswith("xconv::")}


CHECKED = {"draw_seed", "random_words", "rademacher", "gaussian", "sketch", "estimate", "uniform"}
CHECKED |= {"chances", "pack_passing", "mask_gradient", "draw_frequencies"}
CHECKED |= {"keep_normalized", "normalized_gradients", "linear_gradient"}
CHECKED |= {"pool_maxima", "scatter_to_maxima", "gather_maxima", "spread_averages"}
CHECKED |= {"pack_steps", "round_slopes", "scale_gradient", "scale_by_rounded", "drop_again"}
CHECKED |= {"keep_negatives", "passing", "sum_negatives"}
"""Some of them in ``test_saved_operators``."""


def test_no_operator_is_left_out() -> None:
    assert all_operators() == CHECKED


def test_draw_seed() -> None:
    """Each call gives another number: what compares two calls has nothing to compare."""
    last = torch.zeros((), dtype=torch.int64)
    kinds = ("test_schema", "test_autograd_registration", "test_faketensor")
    opcheck(operator("draw_seed"), (last,), test_utils=kinds)


@pytest.mark.parametrize(("count", "dtype"), list(zip([0, 1, 7, 64], DTYPES, strict=True)), ids=str)
@pytest.mark.parametrize("name", ["rademacher", "gaussian", "uniform"])
def test_probes(name: str, count: int, dtype: torch.dtype) -> None:
    opcheck(operator(name), (SEED, 3, count, dtype, torch.device("cpu")))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_chances(dtype: torch.dtype) -> None:
    opcheck(operator("chances"), (SEED, 2, 300, dtype, torch.device("cpu")))


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.uint8], ids=str)
def test_random_words(dtype: torch.dtype) -> None:
    opcheck(operator("random_words"), (SEED, -1, 40, dtype, torch.device("cpu")))


def test_draw_frequencies() -> None:
    plan = nominal_plan(blocks_of((12, 12)), 0.5)
    arguments = (SEED, plan.order, plan.probabilities, plan.kept)
    opcheck(operator("draw_frequencies"), arguments)


def call(
    kind: Kind, scheme: str, lay: Callable[[Tensor], Tensor], dtype: torch.dtype, **kwargs: Any
) -> tuple[Any, ...]:
    """A layer's input, its weight and what the operators are told besides."""
    layer = kind.exact(4, 6, 3, padding=1, dtype=dtype, **kwargs)
    weight = layer.weight.detach()
    x = lay(kind.images(3, dtype=dtype))
    delta = lay(layer(x).detach())
    return x, weight, delta, Layout.of(x), Probing(5 if scheme in PROBED else None, scheme)


def sketch_arguments(
    x: Tensor, weight: Tensor, delta: Tensor, layout: Layout, probing: Probing
) -> tuple[Any, ...]:
    shapes = (list(weight.shape), list(delta.shape))
    plan = nominal_plan(blocks_of(tuple(x.shape[2:])), 0.5)
    names = (probing.dial[1], probing.scheme, probing.distribution, probing.shared)
    names = (*names, plan.counts, [plan.order, plan.probabilities])
    return (x, SEED, layout.channels_last, *shapes, *names)


def estimate_arguments(
    x: Tensor, weight: Tensor, delta: Tensor, layout: Layout, probing: Probing, transposed: bool
) -> tuple[Any, ...]:
    kept = compiled.keep(x, SEED, probing, layout, weight.shape, delta.shape)
    ones = [1] * (x.dim() - 2)
    names = (probing.dial[1], probing.scheme, probing.distribution, probing.shared)
    geometry = (ones, ones, ones, 1, transposed, [0] * len(ones) if transposed else [], [])
    like = (list(layout.shape), layout.channels_last)
    return (list(kept), delta, weight, weight.dtype, *like, *names, *geometry, "constant")


def check_both(parts: tuple[Any, ...], kind: Kind = CONV2D, fully: bool = True) -> None:
    check(operator("sketch"), *sketch_arguments(*parts), fully=fully)
    estimating = estimate_arguments(*parts, "Transpose" in str(kind))
    check(operator("estimate"), *estimating, fully=fully)


@every_layout
@every_scheme
def test_layouts_of_sketch_and_estimate(scheme: str, lay: Callable[[Tensor], Tensor]) -> None:
    check_both(call(CONV2D, scheme, lay, torch.float64), fully=lay is LAYOUTS["channels last"])


@pytest.mark.parametrize(
    ("kind", "scheme"), list(zip(KINDS, cycle(SCHEMES), strict=False)), ids=str
)
def test_kinds_of_sketch_and_estimate(kind: Kind, scheme: str) -> None:
    check_both(call(kind, scheme, LAYOUTS["channels last"], torch.float64), kind)


@every_scheme
@pytest.mark.parametrize("dtype", DTYPES[1:], ids=str)
def test_dtypes_of_sketch_and_estimate(scheme: str, dtype: torch.dtype) -> None:
    check_both(call(CONV2D, scheme, LAYOUTS["channels last"], dtype), fully=False)


def check_masks(output: Tensor, gradients: list[Tensor]) -> None:
    last = Layout.of(output).channels_last
    opcheck(operator("pack_passing"), (output, last))
    packed = operator("pack_passing")(output, last)
    for gradient in gradients:
        opcheck(operator("mask_gradient"), (gradient, packed, last))


@every_layout
def test_layouts_of_masks(lay: Callable[[Tensor], Tensor]) -> None:
    """The gradient lies as the output does, or otherwise."""
    output = lay(torch.randn(2, 4, 9, 11).relu())
    check_masks(output, [output.clone().requires_grad_(), torch.randn(2, 4, 9, 11)])


@pytest.mark.parametrize("shape", [(), (0, 3), (3, 4, 40), (1, 3, 4, 5, 6)], ids=str)
def test_shapes_of_masks(shape: tuple[int, ...]) -> None:
    check_masks(torch.randn(shape).relu(), [torch.randn(shape)])


@every_dtype
def test_dtypes_of_masks(dtype: torch.dtype) -> None:
    check_masks(torch.randn(3, 5, dtype=dtype).relu(), [torch.randn(3, 5, dtype=dtype)])


WAYS = {
    "batch": ([4, 1, 0], (4,)),
    "group": ([2, 0, 0], (3, 2)),
    "rows": ([11, 1], (3, 4, 9, 1)),
    "rows, no mean": ([11, 0], (3, 4, 9, 1)),
}
"""Arguments of normalisations of (3, 4, 9, 11): who shares statistics, and their shape."""


@pytest.mark.parametrize(
    ("layout", "way", "dtype"),
    list(zip([*LAYOUTS, *LAYOUTS], cycle(WAYS), cycle([*DTYPES, torch.float32]), strict=False)),
    ids=str,
)
def test_normalisations(layout: str, way: str, dtype: torch.dtype) -> None:
    check_normalization(LAYOUTS[layout], *WAYS[way], dtype)


def check_normalization(
    lay: Callable[[Tensor], Tensor], way: list[int], shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    x, delta = (lay(torch.randn(3, 4, 9, 11, dtype=dtype)) for _ in range(2))
    rstd = torch.rand(shape, dtype=dtype) + 1
    mean = None if way[1:] == [0] else torch.rand(shape, dtype=dtype)
    arguments = x, mean, rstd, SEED, 4, way
    opcheck(operator("keep_normalized"), arguments)
    kept = operator("keep_normalized")(*arguments)
    weight = torch.ones(11 if len(way) == 2 else 4, dtype=dtype)
    last = Layout.of(x).channels_last
    for needs_input in (True, False):
        rest = weight if needs_input else None, rstd, [3, 4, 9, 11], dtype, last, 4, way
        opcheck(operator("normalized_gradients"), (kept, delta, *rest, needs_input))


@every_dtype
def test_linear_layers(dtype: torch.dtype) -> None:
    x, delta = torch.randn(40, 6, dtype=dtype), torch.randn(40, 5, dtype=dtype)
    weight, probing = torch.randn(5, 6, dtype=dtype), Probing(scheme="quantized", bits=2)
    kept = compiled.keep(x, SEED, probing, Layout.of(x), weight.shape, delta.shape)
    for lain in (weight, weight.t().contiguous().t()):
        opcheck(operator("linear_gradient"), (list(kept), delta, lain, dtype, 2.0))
