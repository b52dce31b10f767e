"""The paper's networks have the layers that the paper gives them."""

import pytest
import torch
from torch import nn

from xconv_bench.data import batch
from xconv_bench.errors import UsageError
from xconv_bench.models.registry import find

CONVOLUTIONS = {
    "paper/mnist": [(1, 32, 3), (32, 64, 3)],
    "paper/cifar": [(3, 16, 5), (16, 32, 5), (32, 32, 5), (32, 32, 5)],
}
LINEAR_INPUTS = {"paper/mnist": 12544, "paper/cifar": 2048}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_layers_of_the_classifiers(name: str) -> None:
    model = find(name).build(find(name).image_size)
    convolutions = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    linear = next(module for module in model.modules() if isinstance(module, nn.Linear))
    assert [
        (layer.in_channels, layer.out_channels, layer.kernel_size[0]) for layer in convolutions
    ] == CONVOLUTIONS[name]
    assert linear.in_features == LINEAR_INPUTS[name]


@pytest.mark.parametrize(
    ("name", "image_size"),
    [
        ("paper/mnist", 28),
        ("paper/mnist", 2),
        ("paper/mnist", 33),
        ("paper/cifar", 32),
        ("paper/cifar", 4),
        ("paper/cifar", 45),
    ],
)
def test_classifiers_are_built_for_the_size_asked(name: str, image_size: int) -> None:
    architecture = find(name)
    sample = batch(architecture, 3, image_size, torch.float32, "cpu", seed=0)
    assert architecture.build(image_size)(sample.input).shape == (3, 10)


@pytest.mark.parametrize("image_size", [16, 48])
def test_the_unet_returns_an_image_of_the_same_shape(image_size: int) -> None:
    architecture = find("paper/unet")
    sample = batch(architecture, 2, image_size, torch.float32, "cpu", seed=0)
    restored = architecture.build(image_size)(sample.input)
    assert restored.shape == sample.input.shape == sample.target.shape


def test_the_unet_goes_from_32_to_512_channels_and_back() -> None:
    convolutions = [m for m in find("paper/unet").build(128).modules() if isinstance(m, nn.Conv2d)]
    assert max(layer.out_channels for layer in convolutions) == 512
    assert len(convolutions) == 4 * 2 + 2 + 4 * (1 + 2) + 1
    assert convolutions[0].out_channels == convolutions[-1].in_channels == 32


def test_every_skip_of_the_unet_counts() -> None:
    torch.manual_seed(0)
    model = find("paper/unet").build(16)
    model(torch.randn(1, 3, 16, 16)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


@pytest.mark.parametrize(
    ("name", "image_size"), [("paper/mnist", 1), ("paper/cifar", 3), ("paper/unet", 100)]
)
def test_too_small_or_odd_sizes_are_refused(name: str, image_size: int) -> None:
    with pytest.raises(UsageError, match=f"{name} takes images whose side is"):
        find(name).build(image_size)
