"""Train in a loop of your own in less memory: one line.

    python examples/plain_loop.py

Random images stand for data of yours.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import xconv


def make_network(width: int = 32) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, width, 3, padding=1),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=1),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(width, 10),
    )


def train(
    network: nn.Module, optimizer: torch.optim.Optimizer, batches: list[tuple[Tensor, Tensor]]
) -> None:
    """Train for one epoch in mixed precision."""
    device = next(network.parameters()).device
    for images, labels in batches:
        with torch.autocast(device.type, torch.bfloat16):
            loss = F.cross_entropy(network(images.to(device)), labels.to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def main(
    pixels: int = 64, batch: int = 32, steps: int = 10, file: str = "runs/plain_loop.pt"
) -> None:
    network = make_network().to("cuda" if torch.cuda.is_available() else "cpu")
    xconv.convert(network, compress="all")  # before or after the optimizer is made
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    random = [
        (torch.randn(batch, 3, pixels, pixels), torch.randint(10, (batch,))) for _ in range(steps)
    ]
    train(network, optimizer, random)
    print(xconv.account(network))
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    # Loads into the network with and without xconv.
    torch.save({"network": network.state_dict(), "optimizer": optimizer.state_dict()}, file)


if __name__ == "__main__":
    main()
