"""A layer is copied, pickled, saved and loaded as any module is, to and from exact models."""

import copy
import io
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from layer_cases import KINDS, Kind, assert_same, gradients, how, images, small_network
from torch import nn

from xconv import account, convert, revert
from xconv.schemes import SCHEMES


def pickled(model: nn.Module) -> nn.Module:
    return pickle.loads(pickle.dumps(model))


def saved(model: nn.Module) -> nn.Module:
    buffer = io.BytesIO()
    torch.save(model, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=False)


every_scheme = pytest.mark.parametrize("scheme", SCHEMES)
ways = pytest.mark.parametrize("way", [copy.deepcopy, pickled, saved], ids=lambda f: f.__name__)


@ways
@every_scheme
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_layer(kind: Kind, scheme: str, way: Callable[[nn.Module], nn.Module]) -> None:
    layer = kind.ours(4, 6, 3, distribution="gaussian", **how(scheme))
    twin = way(layer)
    assert type(twin) is kind.ours and repr(twin) == repr(layer)
    assert twin.weight.data_ptr() != layer.weight.data_ptr()
    assert_same(gradients(twin, kind.images()), gradients(layer, kind.images()))


@ways
@pytest.mark.parametrize("used", [False, True], ids=["fresh", "after-a-step"])
@every_scheme
def test_a_converted_model(scheme: str, way: Callable[[nn.Module], nn.Module], used: bool) -> None:
    model = convert(small_network(), skip=["2"], **how(scheme))
    if used:
        gradients(model, images(), seed=1)
    twin = way(model)
    assert account(twin) == account(model)
    assert_same(gradients(twin, images()), gradients(model, images()))
    assert [type(m) for m in revert(twin)] == [type(m) for m in small_network()]


def test_state_goes_from_an_exact_model_to_a_converted_one_and_back(tmp_path: Path) -> None:
    exact, converted = small_network(), convert(small_network())
    for parameter in exact.parameters():
        nn.init.normal_(parameter)
    torch.save(exact.state_dict(), tmp_path / "exact.pt")
    converted.load_state_dict(torch.load(tmp_path / "exact.pt"), strict=True)
    assert list(converted.state_dict()) == list(exact.state_dict())
    assert_same(converted.state_dict(), exact.state_dict())
    torch.save(converted.state_dict(), tmp_path / "converted.pt")
    again = small_network()
    again.load_state_dict(torch.load(tmp_path / "converted.pt"), strict=True)
    assert torch.equal(again(images()), exact(images()))
