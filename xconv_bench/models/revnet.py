"""RevNets: residual networks whose blocks are reversible, but for those that change the shape.

Source: Gomez et al., "The Reversible Residual Network", NeurIPS 2017, arXiv 1707.04585, section 3
and table 2.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xconv_bench.models.base import Architecture, square_image
from xconv_bench.models.reversible import Coupling, ReversibleSequence
from xconv_bench.objectives.objective import CrossEntropy

_EXPANSION = 4
"""Channels of a bottleneck's output over those of its 3×3 convolution."""

Residual = Callable[[int, int, int], nn.Module]
"""From channels of input and output, and a stride, to a residual function."""


def basic(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Make two 3×3 convolutions, each after batch normalisation and ReLU."""
    return nn.Sequential(
        nn.BatchNorm2d(inputs),
        nn.ReLU(),
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
        nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
    )


def bottleneck(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Make 1×1, 3×3 and 1×1 convolutions, each after batch normalisation and ReLU."""
    width = outputs // _EXPANSION
    return nn.Sequential(
        nn.BatchNorm2d(inputs),
        nn.ReLU(),
        nn.Conv2d(inputs, width, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, width, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, outputs, 1, bias=False),
    )


class Transition(Coupling):
    """A coupling that changes the shape, and cannot be inverted.

    Halves are carried over by average pooling, and by channels of zeros.
    """

    def __init__(self, residual: Residual, inputs: int, outputs: int, stride: int) -> None:
        super().__init__(residual(inputs, outputs, stride), residual(outputs, outputs, 1))
        self.outputs, self.stride = outputs, stride

    def forward(self, x1: Tensor, x2: Tensor) -> tuple[Tensor, Tensor]:
        """Map (batch, inputs, H, W) each to (batch, outputs, ⌈H/stride⌉, ⌈W/stride⌉)."""
        y1 = self._carried(x1) + self.first(x2)
        return y1, self._carried(x2) + self.second(y1)

    def _carried(self, half: Tensor) -> Tensor:
        if self.stride > 1:
            half = F.avg_pool2d(half, self.stride, ceil_mode=True)
        return F.pad(half, (0, 0, 0, 0, 0, self.outputs - half.shape[1]))


class RevNet(nn.Module):
    """``widths``: channels of both halves together in each stage; ``units``: couplings in each."""

    def __init__(
        self,
        stem: nn.Module,
        residual: Residual,
        widths: tuple[int, ...],
        units: tuple[int, ...],
        classes: int,
        stem_width: int,
    ) -> None:
        super().__init__()
        self.stem = stem
        self.transitions, self.stages = nn.ModuleList(), nn.ModuleList()
        inputs = stem_width // 2
        for stage, (width, count) in enumerate(zip(widths, units, strict=True)):
            half = width // 2
            self.transitions.append(Transition(residual, inputs, half, stride=2 if stage else 1))
            couplings = [
                Coupling(residual(half, half, 1), residual(half, half, 1)) for _ in range(count - 1)
            ]
            self.stages.append(ReversibleSequence(couplings))
            inputs = half
        self.head = nn.Sequential(
            nn.BatchNorm2d(widths[-1]),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(widths[-1], classes),
        )

    def forward(self, image: Tensor) -> Tensor:
        """Map (B, 3, S, S) to (B, classes) logits."""
        features = self.stem(image)
        for transition, stage in zip(self.transitions, self.stages, strict=True):
            features = torch.cat(transition(*features.chunk(2, dim=1)), dim=1)
            features = stage(features)
        return self.head(features)


def small_revnet(image_size: int, widths: tuple[int, ...], units: tuple[int, ...]) -> RevNet:
    """Build a network for images of about 32 pixels."""
    stem = nn.Conv2d(3, widths[0], 3, padding=1, bias=False)
    return RevNet(stem, basic, widths, units, classes=10, stem_width=widths[0])


def large_revnet(image_size: int, widths: tuple[int, ...], units: tuple[int, ...]) -> RevNet:
    """Build a network of bottlenecks behind a ResNet's stem, for images of about 224 pixels."""
    width = 64
    stem = nn.Sequential(
        nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2, padding=1),
    )
    return RevNet(stem, bottleneck, widths, units, classes=1000, stem_width=width)


NETWORKS: dict[str, Architecture] = {
    network.name: network
    for network in (
        Architecture(
            name="revnet38",
            family="revnet",
            make=partial(small_revnet, widths=(32, 64, 112), units=(3, 3, 3)),
            sample_shape=square_image(3),
            objective=CrossEntropy(10),
            image_size=32,
            note="reversible, of the size of ResNet-32",
        ),
        Architecture(
            name="revnet110",
            family="revnet",
            make=partial(small_revnet, widths=(32, 64, 128), units=(9, 9, 9)),
            sample_shape=square_image(3),
            objective=CrossEntropy(10),
            image_size=32,
            note="reversible, of the size of ResNet-110",
        ),
        Architecture(
            name="revnet50",
            family="revnet",
            make=partial(large_revnet, widths=(512, 1024, 2048, 3904), units=(2, 2, 2, 2)),
            sample_shape=square_image(3),
            objective=CrossEntropy(1000),
            note="reversible, of the size of ResNet-50",
        ),
    )
}
"""Networks by the name that ``--model`` takes.

The first two are the source's; the third is built as its RevNet-104 is, with as many layers and
about as many parameters as ResNet-50.
"""
