"""Networks of a user's own, small: callables for ``--model path/to/own_networks.py:NAME``."""

import os
import signal
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor

BLOCKER = "XCONV_BENCH_TEST_BLOCKER"
"""Environment variable: a file; while it exists, networks that wait do so where they say it."""


def name(network: str) -> str:
    """Return the name by which ``--model`` takes one of these networks."""
    return f"{Path(__file__).resolve()}:{network}"


def pairs(batch_size: int, image_size: int) -> tuple[Tensor, Tensor]:
    """Return images and depths: ``--inputs`` of a network of two."""
    return torch.rand(batch_size, 3, image_size, image_size), torch.rand(batch_size, 1, 1, 1)


def plain() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, stride=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.LazyLinear(5),
    )


def normalized() -> nn.Module:
    """Batch normalisation, in-place ReLU, pooling, dropout, a strided and a grouped convolution."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 3, groups=4, dilation=2, padding="same"),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 5),
    )


class Residual(nn.Module):
    """Shared weights, a skip, a transposed convolution, two outputs of which one is not used."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Conv2d(3, 3, 3, padding=1)
        self.relu = nn.ReLU()
        self.up = nn.ConvTranspose2d(3, 4, 2, stride=2)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        features = image
        for _ in range(3):
            features = features + self.relu(self.inner(features))
        return self.up(features), features.exp()


def residual() -> nn.Module:
    return Residual()


def perceptron() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(5))


def one_pixel() -> nn.Module:
    """Cannot be trained with a batch of one image: one value a channel has no variance."""
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(4), nn.Flatten()
    )


class ReadsItself(nn.Module):
    """Looks at its own numbers, which a simulation has not."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, image: Tensor) -> Tensor:
        features = self.conv(image)
        return features / features.detach().abs().max().item()


def reads_itself() -> nn.Module:
    return ReadsItself()


def fails() -> nn.Module:
    raise RuntimeError("not today,\nnor tomorrow")


class Acts(nn.Module):
    """Does something in its forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)


class Hangs(Acts):
    def forward(self, image: Tensor) -> Tensor:
        time.sleep(600)
        return self.conv(image)


class Allocates(Acts):
    def forward(self, image: Tensor) -> Tensor:
        torch.empty(2**60)
        return self.conv(image)


def wait_for_the_blocker() -> None:
    while os.path.exists(os.environ.get(BLOCKER, "")):
        time.sleep(0.02)


class Waits(Acts):
    """Waits at batch 2 and up."""

    def forward(self, image: Tensor) -> Tensor:
        if len(image) > 1:
            wait_for_the_blocker()
        return self.conv(image)


class Classifies(nn.Module):
    """A classifier that waits once it has learnt from so many batches of real images."""

    MOST_BATCHES = 4

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(),
            nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 10),
        )  # fmt: skip
        self.batches = 0

    def forward(self, image: Tensor) -> Tensor:
        if self.training and not isinstance(image, FakeTensor):
            self.batches += 1
            if self.batches > self.MOST_BATCHES:
                wait_for_the_blocker()
        logits: Tensor = self.layers(image)
        return logits


LINEAR_MAP_SIDE = 3


def linear_map() -> nn.Module:
    """A convolution that covers its whole input, image of 3 pixels a side: no more than a matrix.

    One channel of output and its mean square: a loss whose gradient is not linear in the input.
    """
    return nn.Sequential(nn.Conv2d(3, 2, LINEAR_MAP_SIDE, bias=False))


def overflows() -> nn.Module:
    return linear_map().append(Multiply())


class Multiply(nn.Module):
    """Overflow by more than float32 holds."""

    def forward(self, features: Tensor) -> Tensor:
        return features * 1e38 * 1e38


TIED_SIDE = 6


def tied() -> nn.Module:
    """Two convolutions with one weight, and buffers that every forward pass changes."""
    first, second = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 3, padding=1)
    second.weight = first.weight
    last = nn.utils.spectral_norm(nn.Linear(3 * TIED_SIDE**2, 5))
    return nn.Sequential(first, nn.Tanh(), second, nn.Dropout(0.5), nn.Flatten(), last)


def ambiguous() -> nn.Module:
    """A layer with the name that stands for all of them."""
    return nn.Sequential(OrderedDict(all=nn.Conv2d(3, 4, 3)))


def frozen() -> nn.Module:
    """A convolution that is not trained."""
    return nn.Sequential(nn.Conv2d(3, 4, 3).requires_grad_(False), nn.Conv2d(4, 4, 1))


class GroupsOfFour(nn.Module):
    """Adds the deviation within groups of four samples as a channel."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.last = nn.Conv2d(5, 2, 3)

    def forward(self, image: Tensor) -> Tensor:
        features = self.conv(image)
        groups = features.view(4, -1, *features.shape[1:])
        deviation = groups.var(0).sqrt().mean((1, 2, 3), keepdim=True)
        spread = deviation.repeat(4, 1, *features.shape[2:])
        return self.last(torch.cat([features, spread], 1))


def groups_of_four() -> nn.Module:
    return GroupsOfFour()


def never_fits() -> nn.Module:
    """Layers that do not go together."""
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(5, 4, 3))


class Detector(nn.Module):
    """Three scales with a head each, and what it found, in an object."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.ModuleList(nn.Conv2d(c, 4, 3, stride=2, padding=1) for c in (3, 4, 4))
        self.heads = nn.ModuleList(nn.Conv2d(4, 6, 1) for _ in range(3))
        self.unused = nn.Conv2d(4, 6, 1)

    def forward(self, image: Tensor) -> "Detections":
        scales = []
        for stem, head in zip(self.stem, self.heads, strict=True):
            image = stem(image).relu()
            scales.append(head(image))
        return Detections(scales, scales[-1].argmax(1))


@dataclass
class Detections:
    scales: list[Tensor]
    classes: Tensor


def detector() -> nn.Module:
    return Detector()


class Consensus(nn.Module):
    """Frames of a clip, four of them a row of logits."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.head = nn.Linear(4, 5)

    def forward(self, frames: Tensor) -> Tensor:
        return self.head(self.conv(frames).mean((2, 3))).view(-1, 4, 5).mean(1)


def consensus() -> nn.Module:
    return Consensus()


def lazy_groups() -> nn.Module:
    return nn.Sequential(GroupsOfFour(), nn.LazyLinear(3))


@torch.library.custom_op("xconv_bench_tests::keep_all", mutates_args=())
def keep_all(features: Tensor) -> Tensor:
    """Return a copy that lies in a storage four times as large, which its fake does not know."""
    large = features.new_zeros(4 * features.numel())
    return large[: features.numel()].view_as(features).copy_(features)


keep_all.register_fake(torch.empty_like)
keep_all.register_autograd(lambda context, gradient: gradient)


class KeepsAll(Acts):
    """A simulation of it is wrong, and cannot know."""

    def forward(self, image: Tensor) -> Tensor:
        kept: Tensor = keep_all(self.conv(image)).square()
        return kept


def keeps_all() -> nn.Module:
    return KeepsAll()


class Recurrent(nn.Module):
    """A strided convolution whose rows are read by a recurrent network in both directions."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.recurrent = nn.LSTM(16, 8, num_layers=2, bidirectional=True, batch_first=True)

    def forward(self, image: Tensor) -> Tensor:
        rows = self.conv(image).flatten(2).transpose(1, 2)
        output: Tensor = self.recurrent(rows)[0].mean(1)
        return output


def recurrent() -> nn.Module:
    return Recurrent()


def compiled() -> nn.Module:
    """Return a network that ``torch.compile`` returned: simulated, it dies of a signal."""
    model = torch.compile(normalized(), backend="aot_eager")
    assert isinstance(model, nn.Module)
    return model


class CallsCompiled(Acts):
    """A compiled function in its forward pass, which nobody sees from outside."""

    def __init__(self) -> None:
        super().__init__()
        self.function = torch.compile(lambda features: features.relu() * 2, backend="aot_eager")

    def forward(self, image: Tensor) -> Tensor:
        output: Tensor = self.function(self.conv(image))
        return output


def calls_compiled() -> nn.Module:
    return CallsCompiled()


class SparseGradient(Acts):
    """The gradient of an embedding is a sparse tensor, which has no storage of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(10, 4, sparse=True)

    def forward(self, image: Tensor) -> Tensor:
        words = self.words(torch.arange(len(image), device=image.device) % 10)
        output: Tensor = self.conv(image).mean((2, 3)) + words
        return output


def sparse_gradient() -> nn.Module:
    return SparseGradient()


class BatchesOfFive(Acts):
    """Samples are compared in groups of five."""

    def forward(self, image: Tensor) -> Tensor:
        features: Tensor = self.conv(image).mean((2, 3))
        return features.view(-1, 5, 4).std(1, keepdim=True)


def batches_of_five() -> nn.Module:
    return BatchesOfFive()


def large_images() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 100, stride=50), nn.ReLU())


class DiesSimulated(Acts):
    """Ends its process where tensors have no contents."""

    def forward(self, image: Tensor) -> Tensor:
        if isinstance(image, FakeTensor):
            os.kill(os.getpid(), signal.SIGSEGV)
        features: Tensor = self.conv(image)
        return features


def dies_simulated() -> nn.Module:
    return DiesSimulated()
