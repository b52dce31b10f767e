"""Train with Lightning in less memory: one callback.

    pip install lightning
    python examples/lightning_trainer.py

Random images stand for data of yours.
"""

import torch
import torch.nn.functional as F
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from xconv.integrations.lightning import XConv


class Classifier(LightningModule):
    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.net = nn.Sequential(
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

    def forward(self, images: Tensor) -> Tensor:
        return self.net(images)

    def training_step(self, batch: list[Tensor], index: int) -> Tensor:
        images, labels = batch
        loss = F.cross_entropy(self(images), labels)
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


def random_images(count: int = 256, pixels: int = 64, batch: int = 32) -> DataLoader:
    data = TensorDataset(torch.randn(count, 3, pixels, pixels), torch.randint(10, (count,)))
    return DataLoader(data, batch_size=batch)


def main(width: int = 32, data: DataLoader | None = None, folder: str = "runs/lightning") -> None:
    model = Classifier(width)
    # It takes what xconv.convert takes, a plan of `xconv-bench advise` too: plan="plan.toml".
    callback = XConv(compress="all", revert_after=True)
    trainer = Trainer(max_epochs=2, callbacks=[callback], default_root_dir=folder)
    trainer.fit(model, data or random_images())
    print(callback.account)
    trainer.save_checkpoint(f"{folder}/last.ckpt")  # loads with and without the callback


if __name__ == "__main__":
    main()
