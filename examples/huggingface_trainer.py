"""Train with the Trainer of Hugging Face in less memory: one line before it is made.

    pip install transformers accelerate
    python examples/huggingface_trainer.py
    torchrun --nproc-per-node 2 examples/huggingface_trainer.py

Random images stand for data of yours, random weights for a checkpoint.
"""

from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset
from transformers import ResNetConfig, ResNetForImageClassification, Trainer, TrainingArguments

import xconv


class RandomImages(Dataset):
    def __init__(self, count: int = 256, pixels: int = 64) -> None:
        generator = torch.Generator().manual_seed(0)
        self.images = torch.randn(count, 3, pixels, pixels, generator=generator)
        self.labels = torch.randint(10, (count,), generator=generator)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"pixel_values": self.images[index], "labels": self.labels[index]}


def make_model(width: int = 32) -> ResNetForImageClassification:
    config = ResNetConfig(
        embedding_size=width,
        hidden_sizes=[width, 2 * width],
        depths=[2, 2],
        layer_type="basic",
        num_labels=10,
    )
    return ResNetForImageClassification(config)


def main(width: int = 32, data: Dataset | None = None, **arguments: Any) -> Trainer:
    model = make_model(width)
    # The base model: the head is small, and config.json names the class of the whole as it is.
    xconv.convert(model.base_model, compress="all")
    given = {
        "output_dir": "runs/huggingface",
        "num_train_epochs": 2,
        "per_device_train_batch_size": 16,
        "bf16": True,  # autocast, on a GPU as on a CPU
        "use_cpu": not torch.cuda.is_available(),
        "report_to": "none",
    }
    trainer = Trainer(
        model=model,
        args=TrainingArguments(**{**given, **arguments}),
        train_dataset=data or RandomImages(),
    )
    trainer.train()  # resume_from_checkpoint=True goes on, with and without xconv
    print(xconv.account(model))
    trainer.save_model()  # from_pretrained loads it, with and without xconv
    return trainer


if __name__ == "__main__":
    main()
