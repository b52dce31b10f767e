"""Layers and little networks that the tests of the layer share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

import xconv
from xconv.schemes import SCHEMES

Gradients = dict[str, Tensor]


def how(scheme: str, probes: int = 4, bits: float = 1, keep: float = 0.3) -> dict[str, Any]:
    """Arguments that choose ``scheme`` and the value of its dial, whichever that is."""
    dial = SCHEMES[scheme].dial
    return {"scheme": scheme, dial: {"probes": probes, "bits": bits, "keep": keep}[dial]}


@dataclass(frozen=True)
class Kind:
    """One of torch's convolutions, ours, and an image for them."""

    exact: type[nn.Module]
    ours: type[nn.Module]
    pixels: tuple[int, ...]

    def pair(
        self, *args: Any, probes: int = 4, scheme: str = "independent", **kwargs: Any
    ) -> tuple[nn.Module, nn.Module]:
        """Both layers with equal weights: the first call's arguments are torch's."""
        torch.manual_seed(0)
        exact = self.exact(*args, **kwargs)
        ours = self.ours(*args, **how(scheme, probes), **kwargs)
        ours.load_state_dict(exact.state_dict())
        return exact, ours

    def images(self, batch: int = 2, channels: int = 4, **kwargs: Any) -> Tensor:
        generator = torch.Generator().manual_seed(1)
        return torch.randn(batch, channels, *self.pixels, generator=generator).to(**kwargs)

    def __str__(self) -> str:
        return self.exact.__name__


KINDS = [
    Kind(nn.Conv1d, xconv.XConv1d, (40,)),
    Kind(nn.Conv2d, xconv.XConv2d, (9, 11)),
    Kind(nn.Conv3d, xconv.XConv3d, (5, 6, 7)),
    Kind(nn.ConvTranspose1d, xconv.XConvTranspose1d, (40,)),
    Kind(nn.ConvTranspose2d, xconv.XConvTranspose2d, (9, 11)),
    Kind(nn.ConvTranspose3d, xconv.XConvTranspose3d, (5, 6, 7)),
]
CONV2D = KINDS[1]


def small_network(activation: Callable[[], nn.Module] = nn.ReLU) -> nn.Sequential:
    """Two convolutions of different shapes with all that usually stands between them."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        activation(),
        nn.Conv2d(8, 8, 3, padding=1),
        activation(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 5),
    )


def images(batch: int = 2, channels: int = 3, side: int = 16) -> Tensor:
    return torch.randn(batch, channels, side, side, generator=torch.Generator().manual_seed(1))


def gradients(
    model: nn.Module, *inputs: Tensor, seed: int = 0, run: Callable[..., Tensor] | None = None
) -> Gradients:
    """Return those of all parameters after a step from ``seed``, the model run by ``run``."""
    model.zero_grad()
    torch.manual_seed(seed)
    (model if run is None else run)(*inputs).square().sum().backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def assert_same(actual: Gradients, expected: Gradients) -> None:
    """Equal to the last bit."""
    assert actual.keys() == expected.keys()
    for name in expected:
        torch.testing.assert_close(
            actual[name],
            expected[name],
            rtol=0,
            atol=0,
            equal_nan=True,
            msg=lambda m, n=name: n + m,
        )


def assert_close(actual: Gradients, expected: Gradients, tolerance: float) -> None:
    """Each differs by no more than ``tolerance`` of its largest entry, or of the largest of all
    where it is rounding error itself (a bias before a batch normalisation)."""
    assert actual.keys() == expected.keys()
    largest = max(float(g.abs().max()) for g in expected.values())
    for name, gradient in expected.items():
        allowed = tolerance * max(float(gradient.abs().max()), 0.01 * largest)
        assert float((actual[name] - gradient).abs().max()) <= allowed, name


def kept_bytes(layer: nn.Module, input: Tensor) -> int:
    """Bytes of the distinct storages that a call saves, parameters apart."""
    saved: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        saved.append(tensor)
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        layer(input)
    sizes = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in saved}
    for parameter in layer.parameters():
        sizes.pop(parameter.untyped_storage().data_ptr(), None)
    return sum(sizes.values())
