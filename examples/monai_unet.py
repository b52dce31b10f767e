"""Train MONAI's UNet with its SupervisedTrainer in less memory: one line.

    pip install monai pytorch-ignite
    python examples/monai_unet.py

Random volumes and masks stand for data of yours.
"""

import torch
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedTrainer
from monai.handlers import CheckpointSaver, StatsHandler
from monai.losses import DiceLoss
from monai.networks.nets import UNet
from monai.transforms import Compose, EnsureTyped, RandFlipd

import xconv


def make_network(width: int = 16) -> UNet:
    return UNet(
        spatial_dims=3,
        in_channels=1,
        out_channels=2,
        channels=(width, 2 * width, 4 * width),
        strides=(2, 2),
        num_res_units=2,
        norm="batch",
    )


def random_volumes(count: int = 16, side: int = 32, batch: int = 2) -> DataLoader:
    generator = torch.Generator().manual_seed(0)
    volumes = torch.randn(count, 1, side, side, side, generator=generator)
    samples = [{"image": volume, "label": (volume > 0).float()} for volume in volumes]
    transform = Compose([EnsureTyped(["image", "label"]), RandFlipd(["image", "label"], prob=0.5)])
    return DataLoader(Dataset(samples, transform), batch_size=batch)


def main(
    width: int = 16, data: DataLoader | None = None, folder: str = "runs/monai", epochs: int = 2
) -> UNet:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = make_network(width).to(device)
    xconv.convert(network, compress="all")
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    # Loads into the network with and without xconv: CheckpointLoader.
    state = {"network": network, "optimizer": optimizer}
    SupervisedTrainer(
        device=device,
        max_epochs=epochs,
        train_data_loader=data or random_volumes(),
        network=network,
        optimizer=optimizer,
        loss_function=DiceLoss(to_onehot_y=True, softmax=True),
        train_handlers=[
            StatsHandler(output_transform=lambda output: output[0]["loss"]),
            CheckpointSaver(folder, state, save_final=True, final_filename="last.pt"),
        ],
    ).run()
    print(xconv.account(network))
    return network


if __name__ == "__main__":
    main()
