"""``conv`` and ``conv_transpose`` are torch's functions with another weight gradient."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from layer_cases import how
from torch import Tensor

from xconv import XConv2d, XConvTranspose2d, functional
from xconv.schemes import SCHEMES

CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
CONV_TRANSPOSE = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
PIXELS = {1: (40,), 2: (9, 11), 3: (6, 7, 5)}

ARGUMENTS: list[dict[str, Any]] = [
    {},
    {"stride": 2, "padding": 1},
    {"padding": 2, "dilation": 2, "groups": 2},
    {"stride": [2], "padding": [1]},
]

dimensions = pytest.mark.parametrize("size", [1, 2, 3], ids="{}d".format)


def name(arguments: dict[str, Any]) -> str:
    return "-".join(f"{k}={v}" for k, v in arguments.items()) or "plain"


def tensors(size: int, groups: int, transposed: bool) -> list[Tensor]:
    """Input, weight and bias, all of which require a gradient."""
    generator = torch.Generator().manual_seed(0)
    weight = (4, 6 // groups) if transposed else (6, 4 // groups)
    shapes = [(2, 4, *PIXELS[size]), (*weight, *(3,) * size), (6,)]
    like = {"dtype": torch.float64, "generator": generator, "requires_grad": True}
    return [torch.randn(shape, **like) for shape in shapes]


def assert_agree(actual: Tensor, expected: Tensor, leaves: list[Tensor]) -> None:
    """Equal outputs and gradients, except the weight's, which is estimated."""
    assert torch.equal(actual, expected)
    ours = torch.autograd.grad(actual.square().sum(), leaves)
    theirs = torch.autograd.grad(expected.square().sum(), leaves)
    torch.testing.assert_close(ours[0], theirs[0])
    torch.testing.assert_close(ours[2], theirs[2])
    assert ours[1].shape == theirs[1].shape and not torch.allclose(ours[1], theirs[1])


@dimensions
@pytest.mark.parametrize("arguments", ARGUMENTS, ids=name)
def test_conv(size: int, arguments: dict[str, Any]) -> None:
    leaves = tensors(size, arguments.get("groups", 1), transposed=False)
    assert_agree(
        functional.conv(*leaves, **arguments, probes=4), CONV[size](*leaves, **arguments), leaves
    )


@dimensions
@pytest.mark.parametrize("arguments", [*ARGUMENTS, {"stride": 2, "output_padding": 1}], ids=name)
def test_conv_transpose(size: int, arguments: dict[str, Any]) -> None:
    leaves = tensors(size, arguments.get("groups", 1), transposed=True)
    assert_agree(
        functional.conv_transpose(*leaves, **arguments, probes=4),
        CONV_TRANSPOSE[size](*leaves, **arguments),
        leaves,
    )


def test_positional_arguments_are_in_torch_s_order() -> None:
    x, weight, bias = (t.detach() for t in tensors(2, 2, transposed=False))
    assert torch.equal(
        functional.conv(x, weight, bias, 2, 1, 2, 2), F.conv2d(x, weight, bias, 2, 1, 2, 2)
    )
    x, weight, bias = (t.detach() for t in tensors(2, 2, transposed=True))
    assert torch.equal(
        functional.conv_transpose(x, weight, bias, 3, 1, 2, 2, 2),
        F.conv_transpose2d(x, weight, bias, 3, 1, 2, 2, 2),
    )


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_padding_words(padding: str) -> None:
    leaves = tensors(2, 1, transposed=False)
    actual = functional.conv(*leaves, padding=padding, probes=4)
    assert_agree(actual, F.conv2d(*leaves, padding=padding), leaves)


def test_without_a_bias() -> None:
    x, weight, _ = tensors(2, 1, transposed=False)
    assert torch.equal(functional.conv(x, weight), F.conv2d(x, weight))


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("distribution", ["rademacher", "gaussian"])
def test_layers_are_the_functions_with_weights(scheme: str, distribution: str) -> None:
    chosen = {**how(scheme), "distribution": distribution}
    x = tensors(2, 1, transposed=False)[0].detach()
    for layer, function in [
        (XConv2d(4, 6, 3, 2, 1, **chosen).double(), functional.conv),
        (XConvTranspose2d(4, 6, 3, 2, 1, **chosen).double(), functional.conv_transpose),
    ]:
        torch.manual_seed(1)
        (by_layer,) = torch.autograd.grad(layer(x).sum(), layer.weight)
        torch.manual_seed(1)
        output = function(x, layer.weight, layer.bias, 2, 1, **chosen)
        assert torch.equal(by_layer, torch.autograd.grad(output.sum(), layer.weight)[0])


def test_zero_probes_are_exact() -> None:
    leaves = tensors(2, 1, transposed=False)
    ours = torch.autograd.grad(functional.conv(*leaves, probes=0).square().sum(), leaves)
    theirs = torch.autograd.grad(F.conv2d(*leaves).square().sum(), leaves)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_zero_probes_have_second_derivatives_of_a_frozen_weight_too() -> None:
    x, weight, _ = tensors(2, 1, transposed=False)
    output = functional.conv(x, weight.detach(), probes=0)
    (gradient,) = torch.autograd.grad(output.square().sum(), x, create_graph=True)
    assert torch.autograd.grad(gradient.sum(), x)[0].any()
