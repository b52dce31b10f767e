"""A detector of two inputs, with data and loss of its own, for ``xconv-bench``.

xconv-bench memory --model examples/two_inputs.py:Detector \
    --inputs examples/two_inputs.py:pairs --loss examples/two_inputs.py:loss --simulate
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Detector(nn.Module):
    """Finds what changed between two images, at two scales: a score and a box for each cell."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(6, 16, 3, padding=1), nn.ReLU())
        self.down = nn.Sequential(nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU())
        self.fine = nn.Conv2d(16, 5, 1)
        self.coarse = nn.Conv2d(32, 5, 1)

    def forward(self, before: Tensor, after: Tensor, changed: Tensor) -> list[Tensor]:
        """Return maps (B, 5, H, W) and (B, 5, H/2, W/2); ``changed`` is for the loss alone."""
        features = self.stem(torch.cat([before, after], 1))
        return [self.fine(features), self.coarse(self.down(features))]


def pairs(batch_size: int, image_size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return a batch, in the order of ``forward``'s arguments; the seed is set by the caller."""
    before, after = torch.randn(2, batch_size, 3, image_size, image_size)
    changed = torch.randint(2, (batch_size, image_size, image_size))
    return before, after, changed


def loss(output: list[Tensor], inputs: tuple[Tensor, ...]) -> Tensor:
    """Return the sum over scales of the scores' loss and the boxes' size."""
    changed = inputs[2][:, None].to(output[0].dtype)
    total = output[0].new_zeros(())
    for maps in output:
        expected = F.interpolate(changed, maps.shape[-2:])
        scores, boxes = maps[:, :1], maps[:, 1:]
        total = total + F.binary_cross_entropy_with_logits(scores, expected) + boxes.abs().mean()
    return total
