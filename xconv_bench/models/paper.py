"""The networks of the XConv paper (arXiv 2106.06998) that are not in torchvision.

Every ReLU and every pooling is a module, so that a method can see it and swap it.
"""

import torch
from torch import Tensor, nn

from xconv_bench.models.base import Architecture, square_image
from xconv_bench.models.ddpm import DiffusionUNet, diffusion_inputs
from xconv_bench.models.sizes import ImageSizes
from xconv_bench.models.triconvunext import TriConvUNeXt
from xconv_bench.models.vanillanet import VanillaNet
from xconv_bench.objectives.objective import CrossEntropy, SquaredError
from xconv_bench.objectives.prediction import MaskOverlap, NoisePrediction


def mnist_network(image_size: int) -> nn.Sequential:
    """Build the MNIST example of PyTorch, with "same" padding: (B, 1, S, S) -> (B, 10) logits."""
    side = image_size // 2
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(64 * side * side, 128),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(128, 10),
    )


def mnist_network_2021(image_size: int) -> nn.Sequential:
    """Build the network of the paper's first MNIST table: (B, 1, S, S) -> (B, 10)."""
    side = image_size // 8
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * side * side, 10),
    )


def cifar_network(image_size: int) -> nn.Sequential:
    """Build the CIFAR network, also that of randomized differentiation (Oktay et al. 2021).

    (B, 3, S, S) -> (B, 10) logits.
    """
    side = image_size // 4
    return nn.Sequential(
        nn.Conv2d(3, 16, 5, padding=2),
        nn.ReLU(),
        nn.Conv2d(16, 32, 5, padding=2),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Conv2d(32, 32, 5, padding=2),
        nn.ReLU(),
        nn.Conv2d(32, 32, 5, padding=2),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * side * side, 10),
    )


class UNet(nn.Module):
    """The U-Net that the paper compares with randomized automatic differentiation on.

    Four levels of 32, 64, 128 and 256 channels over a bottom of 512; two 3×3 convolutions a level;
    down by max pooling, up by bilinear interpolation and a 3×3 convolution; skips concatenated; no
    normalisation. (B, 3, S, S) -> (B, 3, S, S), S a multiple of 16.
    """

    def __init__(self, image_channels: int = 3, base_channels: int = 32, depth: int = 4) -> None:
        super().__init__()
        widths = [base_channels * 2**level for level in range(depth + 1)]
        self.down = nn.ModuleList(
            _double_convolution(inputs, outputs)
            for inputs, outputs in zip([image_channels, *widths], widths[:-1], strict=False)
        )
        self.pool = nn.MaxPool2d(2)
        self.bottom = _double_convolution(widths[-2], widths[-1])
        self.enlarge = nn.ModuleList(_upsampling(2 * width, width) for width in widths[-2::-1])
        self.up = nn.ModuleList(_double_convolution(2 * width, width) for width in widths[-2::-1])
        self.head = nn.Conv2d(base_channels, image_channels, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Restore the image: (B, C, S, S) -> (B, C, S, S)."""
        skips = []
        features = image
        for level in self.down:
            features = level(features)
            skips.append(features)
            features = self.pool(features)
        features = self.bottom(features)
        for enlarge, level in zip(self.enlarge, self.up, strict=True):
            features = level(torch.cat([enlarge(features), skips.pop()], dim=1))
        return self.head(features)


def _double_convolution(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(outputs, outputs, 3, padding=1),
        nn.ReLU(),
    )


def _upsampling(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Upsample(scale_factor=2, mode="bilinear"),
        nn.Conv2d(inputs, outputs, 3, padding=1),
    )


NETWORKS: dict[str, Architecture] = {
    network.name: network
    for network in (
        Architecture(
            name="paper/mnist",
            family="paper",
            make=mnist_network,
            sample_shape=square_image(1),
            objective=CrossEntropy(10),
            image_size=28,
            sizes=ImageSizes(smallest=2),
        ),
        Architecture(
            name="paper/mnist-2021",
            family="paper",
            make=mnist_network_2021,
            sample_shape=square_image(1),
            objective=CrossEntropy(10),
            image_size=28,
            sizes=ImageSizes(smallest=8),
        ),
        Architecture(
            name="paper/cifar",
            family="paper",
            make=cifar_network,
            sample_shape=square_image(3),
            objective=CrossEntropy(10),
            image_size=32,
            sizes=ImageSizes(smallest=4),
        ),
        Architecture(
            name="paper/unet",
            family="paper",
            make=lambda image_size: UNet(),
            sample_shape=square_image(3),
            objective=SquaredError(),
            image_size=128,
            sizes=ImageSizes(multiple=16),
        ),
        Architecture(
            name="paper/vanillanet",
            family="paper",
            make=lambda image_size: VanillaNet(),
            sample_shape=square_image(3),
            objective=CrossEntropy(10),
            sizes=ImageSizes(smallest=32),
        ),
        Architecture(
            name="paper/triconvunext",
            family="paper",
            make=lambda image_size: TriConvUNeXt(),
            sample_shape=square_image(3),
            objective=MaskOverlap(),
            image_size=256,
            sizes=ImageSizes(multiple=16),
        ),
        Architecture(
            name="paper/ddpm",
            family="paper",
            make=DiffusionUNet,
            sample_shape=square_image(3),
            objective=NoisePrediction(),
            image_size=32,
            sizes=ImageSizes(multiple=8),
            inputs=diffusion_inputs,
            inputs_by_sample=True,
        ),
    )
}
"""Networks by the name that ``--model`` takes."""
