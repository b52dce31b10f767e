"""The RevNets have the depths and sizes that were published."""

import pytest
import torch
from torch import nn

from xconv_bench.data import batch
from xconv_bench.models import find, listing
from xconv_bench.models.revnet import large_revnet


def layers(model: nn.Module) -> int:
    """Convolutions and the classifier: what the number in the name counts."""
    return sum(isinstance(module, nn.Conv2d | nn.Linear) for module in model.modules())


@pytest.mark.parametrize(
    ("name", "depth", "million_parameters"),
    [("revnet38", 38, 0.465), ("revnet110", 110, 1.73), ("revnet50", 50, 25.4)],
)
def test_depth_and_size(name: str, depth: int, million_parameters: float) -> None:
    """arXiv 1707.04585, table 2; revnet50 is ours, of the size of ResNet-50 (25.6 million)."""
    model = find(name).build(find(name).image_size)
    assert layers(model) == depth
    parameters = sum(parameter.numel() for parameter in model.parameters())
    assert parameters / 1e6 == pytest.approx(million_parameters, rel=0.01)


def test_the_published_large_one_could_be_built() -> None:
    assert layers(large_revnet(224, (512, 1024, 2048, 3328), (2, 2, 11, 2))) == 104


@pytest.mark.parametrize(("name", "size"), [("revnet38", 32), ("revnet38", 17), ("revnet50", 40)])
def test_any_image_size_will_do(name: str, size: int) -> None:
    architecture = find(name)
    samples = batch(architecture, 2, size, torch.float32, "cpu", seed=0)
    assert architecture.build(size)(samples.input).shape == (2, architecture.objective.classes)


def test_they_are_listed() -> None:
    assert {"revnet38", "revnet110", "revnet50"} <= {network.name for network in listing()}
