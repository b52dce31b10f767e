"""A converted network learns what the exact one learns."""

import pytest
import torch
import torch.nn.functional as F
from layer_cases import how
from torch import Tensor, nn

from xconv import convert

STEPS = 60


def stripes(count: int) -> tuple[Tensor, Tensor]:
    """Noisy images of stripes that run one of two ways, and which."""
    generator = torch.Generator().manual_seed(7)
    labels = torch.arange(count) % 2
    wave = torch.sin(torch.arange(12) * 1.5).expand(12, 12)
    clean = torch.where(labels[:, None, None] == 0, wave, wave.t())[:, None]
    return clean + 0.5 * torch.randn(count, 1, 12, 12, generator=generator), labels


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, stride=2, padding=1),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 2),
    )


def losses(model: nn.Module) -> list[float]:
    images, labels = stripes(64)
    torch.manual_seed(1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    history = []
    for _ in range(STEPS):
        loss = F.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    return history


@pytest.mark.parametrize(
    ("scheme", "probes"),
    [
        ("independent", 16),
        ("multi", 64),
        ("orthogonal", 64),
        ("spectral", 0),
        ("quantized", 0),
        ("sampling", 0),
    ],
)
def test_the_loss_falls_as_with_exact_gradients(scheme: str, probes: int) -> None:
    chosen = how(scheme, probes=probes)
    exact, ours = losses(network()), losses(convert(network(), first="compressed", **chosen))
    assert ours[0] == exact[0]
    assert ours != exact
    assert exact[-1] < 0.05 < 0.6 < exact[0]
    assert ours[-1] < 0.15
