"""VanillaNet, TriConvUNeXt and the diffusion U-Net are the published ones, with their losses."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from xconv_bench.data import batch
from xconv_bench.models.ddpm import DiffusionUNet
from xconv_bench.models.registry import find
from xconv_bench.models.triconvunext import deformed
from xconv_bench.models.vanillanet import VanillaNet
from xconv_bench.objectives.prediction import MaskOverlap

LARGER = ["paper/vanillanet", "paper/triconvunext", "paper/ddpm"]


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def test_vanillanet_merged_has_the_published_parameters() -> None:
    with torch.device("meta"):
        model = VanillaNet(classes=1000)
    convolutions = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    series = [layer for layer in convolutions if layer.groups > 1]
    pairs = [layer for layer in convolutions if layer.groups == 1]
    merged = sum(layer.weight.numel() + layer.out_channels for layer in series)
    for first, second in zip(pairs[::2], pairs[1::2], strict=True):
        taps = first.kernel_size[0] ** 2
        merged += (first.in_channels * taps + 1) * second.out_channels
    assert len(pairs) == 2 * 10  # VanillaNet-10
    assert round(merged / 1e6, 1) == 45.7


def test_the_diffusion_unet_has_the_published_parameters() -> None:
    with torch.device("meta"):
        model = DiffusionUNet()
    assert round(parameters(model) / 1e6, 1) == 35.7


def test_triconvunext_has_five_levels_of_triple_blocks() -> None:
    with torch.device("meta"):
        model = find("paper/triconvunext").build(256)
    depthwise = [m.in_channels for m in model.modules() if getattr(m, "groups", 1) > 2]
    assert depthwise == [16, 32, 64, 128, 128, 128, 128, 64, 32, 16, 16]


@pytest.mark.parametrize("name", LARGER)
def test_every_weight_has_a_gradient(name: str) -> None:
    torch.manual_seed(0)
    architecture = find(name)
    model = architecture.build(64)
    sample = batch(architecture, 2, 64, torch.float32, "cpu", seed=0)
    architecture.objective.loss(sample.run(model), sample.target).backward()
    # Biases before a normalisation move nothing.
    weights = [parameter for parameter in model.parameters() if parameter.dim() > 1]
    assert all(w.grad is not None and w.grad.abs().sum() > 0 for w in weights)


def test_a_deformed_convolution_moves_its_taps() -> None:
    torch.manual_seed(0)
    image, weight = torch.randn(2, 4, 7, 9), torch.randn(4, 1, 3, 3)
    plain = F.conv2d(image, weight, padding=1, groups=4)
    offsets = torch.zeros(2, 9, 2, 7, 9)
    torch.testing.assert_close(deformed(image, offsets.view(2, 18, 7, 9), weight), plain)
    offsets[:, :, 0] = 1  # a pixel down
    moved = deformed(image, offsets.view(2, 18, 7, 9), weight)
    torch.testing.assert_close(moved[:, :, :-1], plain[:, :, 1:])


def test_samples_of_the_diffusion_model_are_the_same_in_every_batch() -> None:
    large, small = (
        batch(find("paper/ddpm"), size, 16, torch.float32, "cpu", seed=3) for size in (4, 2)
    )
    for one, other in zip(large.input, small.input, strict=True):
        assert torch.equal(one[:2], other)
    assert len(set(large.input[1].tolist())) > 1


def test_noise_is_added_as_published() -> None:
    model = DiffusionUNet(16, width=32, factors=(1,), blocks=1)
    kept = model.alphas[[0, 999]]
    torch.testing.assert_close(kept, torch.tensor([0.9999, 4.0358e-5]), rtol=1e-3, atol=0)


def test_the_loss_of_masks_is_least_where_they_are_right() -> None:
    mask = torch.tensor([[[[0, 1], [1, 1]]]])
    right, wrong = ((2 * mask - 1) * 30.0 * sign for sign in (1, -1))
    assert MaskOverlap().loss(right, mask) == pytest.approx(0, abs=1e-4)
    assert MaskOverlap().loss(wrong, mask) == pytest.approx(0.5 * 30 + 1, abs=1e-3)
