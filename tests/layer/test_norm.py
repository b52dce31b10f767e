"""Normalisations in few bits: torch's output, torch's statistics, and what is kept in bytes."""

from math import prod
from typing import Any
from unittest import mock

import pytest
import torch
from geometries import DRAWN
from hypothesis import given
from hypothesis import strategies as st
from layer_cases import kept_bytes
from norm_cases import NORMS, Norm
from torch import Tensor, nn

import xconv
from xconv.saved.norm import NORMALIZATIONS, XBatchNorm2d, XLayerNorm
from xconv_bench.models.torchvision_shim import import_torchvision

GROUP_BYTES = 256 * 4 // 8 + 8
SEED_BYTES = 8

every_norm = pytest.mark.parametrize("norm", NORMS.values(), ids=NORMS)
both_modes = pytest.mark.parametrize("training", [True, False], ids=["training", "evaluating"])


def assert_like_torch(norm: Norm, dtype: torch.dtype, training: bool, tolerance: float) -> None:
    """Output and buffers to the last bit, gradients nearly, as with eight bits an element."""
    exact, ours = (layer.train(training) for layer in norm.pair(8, dtype))
    expected, found = norm.step(exact, dtype), norm.step(ours, dtype)
    assert found[0].equal(expected[0]) and found[0].stride() == expected[0].stride()
    for ours_gradient, gradient in zip(found[1:], expected[1:], strict=True):
        assert ours_gradient.dtype == gradient.dtype and ours_gradient.shape == gradient.shape
        distance = (ours_gradient - gradient).double().norm()
        assert distance <= tolerance * gradient.double().norm()
    assert ours.state_dict().keys() == exact.state_dict().keys()
    for name, value in exact.state_dict().items():
        assert ours.state_dict()[name].equal(value), name


@every_norm
@both_modes
@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(torch.float64, 0.03), (torch.float32, 0.03), (torch.bfloat16, 0.05), (torch.float16, 0.03)],
    ids=str,
)
def test_all_but_gradients_is_torch_s(
    norm: Norm, training: bool, dtype: torch.dtype, tolerance: float
) -> None:
    assert_like_torch(norm, dtype, training, tolerance)


@st.composite
def norms(draw: Any) -> Norm:
    """Any shape, of more than a hundred numbers that share statistics."""
    kinds = [nn.BatchNorm2d, nn.InstanceNorm2d, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm]
    kind = draw(st.sampled_from(kinds))
    batch, groups, each = (draw(st.integers(1, 4)) for _ in range(3))
    shape = (batch, groups * each, draw(st.integers(10, 20)), draw(st.integers(10, 20)))
    if kind in (nn.LayerNorm, nn.RMSNorm):
        return Norm(kind, (shape[-draw(st.integers(2, 3)) :],), shape)
    arguments = (groups, shape[1]) if kind is nn.GroupNorm else (shape[1],)
    return Norm(kind, arguments, shape, channels_last=draw(st.booleans()))


@DRAWN
@given(norms(), st.booleans(), st.integers(256, 4096))
def test_so_it_is_of_any_shape_in_any_number_of_parts(
    norm: Norm, training: bool, at_a_time: int
) -> None:
    with mock.patch("xconv.saved.stand_in._AT_A_TIME", {"cpu": at_a_time}):
        assert_like_torch(norm, torch.float64, training, 0.05)


FEW = {
    "BatchNorm2d": Norm(nn.BatchNorm2d, (4,), (10, 4, 2, 2)),
    "InstanceNorm2d": Norm(nn.InstanceNorm2d, (2,), (2, 2, 6, 6), {"affine": True}),
    "GroupNorm": Norm(nn.GroupNorm, (2, 4), (2, 4, 4, 4)),
    "LayerNorm": Norm(nn.LayerNorm, (40,), (5, 40)),
}


@pytest.mark.parametrize("norm", FEW.values(), ids=FEW)
def test_so_it_is_of_fewer_numbers_than_a_group(norm: Norm) -> None:
    """Their variances are one number, which is no room to write to."""
    exact, ours = norm.pair(8, torch.float32)
    steps = (norm.step(layer, torch.float32)[1:] for layer in (ours, exact))
    for found, expected in zip(*steps, strict=True):
        assert (found - expected).norm() <= 0.05 * expected.norm()
    input = norm.input(torch.float32)
    assert kept_bytes(ours, input) < input.nbytes


@pytest.mark.parametrize("norm_bits", [1, 2, 4, 8])
@every_norm
def test_bytes_kept_in_training(norm: Norm, norm_bits: int) -> None:
    """Whole groups of 256, a seed, and one number for each mean that was formed."""
    _, layer = norm.pair(norm_bits, torch.float32)
    statistics = layer(norm.input(torch.float32)).grad_fn.saved_tensors[1].numel()
    groups = -(-prod(norm.shape) // 256)
    expected = groups * (256 * norm_bits // 8 + 8) + SEED_BYTES + 4 * statistics
    assert kept_bytes(layer, norm.input(torch.float32)) == expected


def frozen(layer: nn.Module) -> nn.Module:
    return layer.requires_grad_(False)


@pytest.mark.parametrize("name", ["BatchNorm2d", "SyncBatchNorm", "InstanceNorm2d, tracking"])
def test_a_frozen_one_that_evaluates_keeps_its_buffers_only(name: str) -> None:
    exact, layer = (frozen(each.eval()) for each in NORMS[name].pair())
    x = NORMS[name].input()
    buffers = {b.untyped_storage().data_ptr() for b in layer.buffers()}
    saved = layer(x).grad_fn.saved_tensors
    assert {t.untyped_storage().data_ptr() for t in saved if t is not None} <= buffers | {
        p.untyped_storage().data_ptr() for p in layer.parameters()
    }
    torch.testing.assert_close(NORMS[name].step(layer), NORMS[name].step(exact))


@every_norm
def test_a_bias_alone_needs_nothing(norm: Norm) -> None:
    """Its gradient is a sum of the output's. Not held against torch's own call, which crashes on
    a GroupNorm with its channels last."""
    _, layer = norm.pair()
    if getattr(layer, "bias", None) is None:
        return
    layer.requires_grad_(False)
    layer.bias.requires_grad_(True)
    x, delta = norm.input().detach(), norm.output_gradient()
    assert kept_bytes(layer, x) == 0
    (found,) = torch.autograd.grad(layer(x), layer.bias, delta)
    of_rows = norm.kind is nn.LayerNorm
    kept = range(delta.dim() - layer.bias.dim(), delta.dim()) if of_rows else [1]
    torch.testing.assert_close(found, delta.sum([d for d in range(delta.dim()) if d not in kept]))


@every_norm
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_nothing_is_kept_without_a_backward_pass(norm: Norm, mode: Any) -> None:
    exact, layer = norm.pair()
    with mode():
        assert kept_bytes(layer, norm.input()) == 0
        exact(norm.input())
        assert layer(norm.input()).equal(exact(norm.input()))


def test_what_is_no_smaller_is_kept_as_it_is() -> None:
    norm = Norm(nn.LayerNorm, (4,), (4, 4))
    exact, layer = norm.pair()
    found, expected = norm.step(layer), norm.step(exact)
    assert all(a.equal(b) for a, b in zip(found, expected, strict=True))
    (entry,) = xconv.account(layer)
    assert not entry.swapped and "no smaller than the input" in entry.reason
    assert "falls back" in repr(layer)


@pytest.mark.parametrize(
    ("norm", "words"),
    [
        (Norm(nn.BatchNorm2d, (6,), (1, 6, 1, 1)), "more than 1 value per channel"),
        (Norm(nn.BatchNorm2d, (5,), (3, 6, 7, 8)), "elements not"),
        (Norm(nn.BatchNorm2d, (6,), (3, 6, 7)), "expected 4D input"),
        (Norm(nn.InstanceNorm2d, (6,), (3, 6, 1, 1)), "more than 1 spatial element"),
        (Norm(nn.InstanceNorm2d, (5,), (3, 6, 7, 8), {"affine": True}), "num_features"),
        (Norm(nn.GroupNorm, (6, 6), (1, 6, 1, 1)), "more than 1 value per channel"),
        (Norm(nn.LayerNorm, (7,), (3, 8)), "normalized_shape"),
        (Norm(nn.RMSNorm, (7,), (3, 8)), "normalized_shape"),
    ],
    ids=lambda value: value.kind.__name__ if isinstance(value, Norm) else value,
)
def test_errors_are_torch_s(norm: Norm, words: str) -> None:
    errors: list[Exception] = []
    for layer in norm.pair():
        with pytest.raises((ValueError, RuntimeError), match=words) as caught:
            layer(norm.input())
        errors.append(caught.value)
    assert type(errors[1]) is type(errors[0]) and str(errors[1]) == str(errors[0])


def test_one_image_without_a_batch() -> None:
    exact, layer = NORMS["InstanceNorm2d"].pair(8)
    x = NORMS["InstanceNorm2d"].input()[0]
    assert layer(x).equal(exact(x))
    torch.testing.assert_close(layer(x[None])[0], layer(x))


@pytest.mark.parametrize("make", [lambda x: x[:, ::2], lambda x: x.transpose(2, 3),
                                  lambda x: x[:1].expand(3, 6, 7, 8)])  # fmt: skip
def test_inputs_and_gradients_that_are_not_contiguous(make: Any) -> None:
    x = make(NORMS["BatchNorm2d"].input().detach())
    found = []
    for layer in (nn.BatchNorm2d(x.shape[1]), XBatchNorm2d(x.shape[1], norm_bits=8)):
        leaf = x.clone().requires_grad_()
        layer.double()(leaf).sum(1, keepdim=True).expand(x.shape).square().sum().backward()
        found.append([leaf.grad, layer.weight.grad, layer.bias.grad])
    for ours, theirs in zip(found[1], found[0], strict=True):
        assert (ours - theirs).norm() <= 0.02 * theirs.norm() + 1e-9


def test_torchvision_s_channel_first_layer_norm() -> None:
    kind = import_torchvision().models.convnext.LayerNorm2d
    exact = kind(6).double()
    model = nn.Sequential(kind(6)).double()
    xconv.convert(model, compress=["norm"], norm_bits=8)
    assert isinstance(model[0], XLayerNorm) and isinstance(model[0], kind)
    norm = NORMS["BatchNorm2d"]
    expected, found = norm.step(exact), norm.step(model)
    assert found[0].equal(expected[0])
    for ours, theirs in zip(found[1:], expected[1:], strict=True):
        assert (ours - theirs).norm() <= 0.03 * theirs.norm()
    with torch.no_grad():
        assert model(norm.input()).equal(expected[0])
    script = torch.jit.script(model)
    assert script(norm.input()).equal(expected[0])
    assert type(xconv.revert(model)[0]) is kind


class LayerNorm2d(nn.LayerNorm):
    """A class of the same name as torchvision's, with another forward pass."""

    def forward(self, input: Tensor) -> Tensor:
        return 2 * super().forward(input)


def test_others_of_that_name_are_left() -> None:
    (entry,) = xconv.account(xconv.convert(nn.Sequential(LayerNorm2d(6)), compress="all"))
    assert not entry.swapped and "unsupported subclass LayerNorm2d" in entry.reason


@pytest.mark.parametrize("norm_bits", [0, 3, 16, True, 4.5])
def test_other_bits_are_refused(norm_bits: Any) -> None:
    words = f"norm_bits must be one of 1, 2, 4, 8; got {norm_bits}"
    with pytest.raises(ValueError, match=words):
        XBatchNorm2d(6, norm_bits=norm_bits)
    model = nn.Sequential(nn.BatchNorm2d(6))
    with pytest.raises(ValueError, match=words):
        xconv.convert(model, compress="all", norm_bits=norm_bits)
    assert type(model[0]) is nn.BatchNorm2d


@every_norm
def test_convert_and_revert(norm: Norm) -> None:
    model = nn.Sequential(norm.pair()[0])
    held, kind = dict(vars(model[0])), type(model[0])
    xconv.convert(model, compress="all", norm_bits=2)
    assert type(model[0]) is NORMALIZATIONS[kind] and "norm_bits=2" in repr(model)
    (entry,) = xconv.account(model)
    assert entry.swapped and entry.reason == "normalised input in 2 bits an element"
    xconv.revert(model)
    assert type(model[0]) is kind and vars(model[0]) == held
