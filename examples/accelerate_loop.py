"""Train with accelerate in less memory: one line before the network is prepared.

    pip install transformers accelerate
    accelerate launch examples/accelerate_loop.py

Random images stand for data of yours, random weights for a checkpoint.
"""

import torch
from accelerate import Accelerator
from torch.utils.data import DataLoader, TensorDataset
from transformers import ConvNextConfig, ConvNextForImageClassification

import xconv


def make_network(width: int = 32) -> ConvNextForImageClassification:
    config = ConvNextConfig(
        num_stages=2, hidden_sizes=[width, 2 * width], depths=[2, 2], num_labels=10
    )
    return ConvNextForImageClassification(config)


def random_images(count: int = 256, pixels: int = 64, batch: int = 16) -> DataLoader:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(count, 3, pixels, pixels, generator=generator)
    labels = torch.randint(10, (count,), generator=generator)
    return DataLoader(TensorDataset(images, labels), batch_size=batch)


def main(
    width: int = 32,
    data: DataLoader | None = None,
    folder: str = "runs/accelerate",
    cpu: bool = not torch.cuda.is_available(),
) -> ConvNextForImageClassification:
    accelerator = Accelerator(mixed_precision="bf16", cpu=cpu)
    network = make_network(width)
    xconv.convert(network.base_model, compress="all")
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    network, optimizer, data = accelerator.prepare(network, optimizer, data or random_images())
    for images, labels in data:
        loss = network(pixel_values=images, labels=labels).loss
        optimizer.zero_grad()
        accelerator.backward(loss)
        optimizer.step()
    accelerator.save_state(folder)  # load_state reads it, with and without xconv
    network = accelerator.unwrap_model(network)
    accelerator.print(xconv.account(network))
    return network


if __name__ == "__main__":
    main()
