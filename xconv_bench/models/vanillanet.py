"""VanillaNet (Chen et al., "VanillaNet: the power of minimalism in deep learning", 2305.12972)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

_WIDTHS = (512, 512, 1024, 2048, 2048, 2048, 2048, 4096, 4096)
_STRIDES = (1, 2, 2, 1, 1, 1, 2, 1)
"""Channels before and after each stage, and strides, of VanillaNet-10."""
_REACH = 3
_EPS = 1e-6


class VanillaNet(nn.Module):
    """(B, 3, S, S) -> (B, classes) logits, without shortcuts and attention, in its training form.

    Every layer of the published network is a pair of 1×1 convolutions while it is trained, with a
    leaky ReLU between them whose slope ends at 1, so that the pair can be merged afterwards; here
    the slope is 1, as the published network is constructed. Its activation is a series of shifted
    ReLUs: a ReLU and a depthwise 7×7 convolution.
    """

    def __init__(
        self,
        classes: int = 10,
        widths: Sequence[int] = _WIDTHS,
        strides: Sequence[int] = _STRIDES,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(*_pair(3, widths[0], widths[0], 4), *_series(widths[0]))
        self.stages = nn.Sequential(
            *(
                nn.Sequential(
                    *_pair(inputs, inputs, outputs),
                    nn.MaxPool2d(stride) if stride > 1 else nn.Identity(),
                    *_series(outputs),
                )
                for inputs, outputs, stride in zip(widths, widths[1:], strides, strict=False)
            )
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        *head, _ = _pair(widths[-1], classes, classes)
        self.head = nn.Sequential(*head)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, image: Tensor) -> Tensor:
        """Return logits (B, classes) of images (B, 3, S, S)."""
        logits: Tensor = self.head(self.pool(self.stages(self.stem(image)))).flatten(1)
        return logits


def _pair(inputs: int, middle: int, outputs: int, size: int = 1) -> list[nn.Module]:
    """Return two convolutions that are one once their activation is linear, each normalised."""
    return [
        nn.Conv2d(inputs, middle, size, stride=size),
        nn.BatchNorm2d(middle, eps=_EPS),
        nn.LeakyReLU(1.0),
        nn.Conv2d(middle, outputs, 1),
        nn.BatchNorm2d(outputs, eps=_EPS),
    ]


def _series(channels: int) -> list[nn.Module]:
    """Return the activation Σ aᵢ ReLU(x shifted by i), i in a window of 7×7, normalised."""
    side = 2 * _REACH + 1
    return [
        nn.ReLU(),
        nn.Conv2d(channels, channels, side, padding=_REACH, groups=channels, bias=False),
        nn.BatchNorm2d(channels, eps=_EPS),
    ]
