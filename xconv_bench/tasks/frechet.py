"""The Fréchet distance between the features of generated pictures and of real ones.

‖μ₁ - μ₂‖² + tr(Σ₁ + Σ₂ - 2 (Σ₁Σ₂)^½), the squared distance of two normal distributions with the
means and covariances of the features (Heusel et al., "GANs trained by a two time-scale update
rule", 2017). There features are those of Inception; here of a classifier of the data itself.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xconv_bench.tasks.order import shuffled_batches

_EPOCHS = 12
_BATCH_SIZE = 32
_SEED = 0


def frechet_distance(first: Tensor, second: Tensor) -> float:
    """Return the distance between two sets of features (N, D) and (M, D)."""
    first, second = first.double(), second.double()
    means = (first.mean(0) - second.mean(0)).square().sum()
    one, other = torch.cov(first.T), torch.cov(second.T)
    # The trace of the root of a product of two covariances is the sum of the roots of its
    # eigenvalues, which are real and not negative, to rounding.
    roots = torch.linalg.eigvals(one @ other).real.clamp(min=0).sqrt().sum()
    return float(means + one.trace() + other.trace() - 2 * roots)


class Classifier(nn.Module):
    """A small convolutional network: (B, 1, S, S) -> 64 features -> logits."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(24, 48, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(),
            nn.Linear(48 * 16, 64), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Linear(64, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, classes)."""
        logits: Tensor = self.head(self.features(images))
        return logits


def trained_classifier(images: Tensor, labels: Tensor) -> Classifier:
    """Train on the CPU from a seed of its own; torch's global generator stays as it was."""
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(_SEED)
        classifier = Classifier()
        optimizer = torch.optim.Adam(classifier.parameters(), 2e-3)
        for epoch in range(_EPOCHS):
            for indices in shuffled_batches(len(labels), _BATCH_SIZE, _SEED, epoch):
                loss = F.cross_entropy(classifier(images[indices]), labels[indices])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
    return classifier.eval().requires_grad_(False)
