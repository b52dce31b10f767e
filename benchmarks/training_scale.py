"""Measure reference values for docs/training.md, besides exact gradients.

Run ``python -m benchmarks.training_scale``, two minutes on two cores. It prints the accuracy of
networks whose convolutions keep their initial weights, the Fréchet distance of real digits, and the
quality of the photographs that restoration starts from.
"""

from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory

import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor, nn

from xconv_bench.configuration import TrainingConfiguration
from xconv_bench.events import Rows
from xconv_bench.measurement.task_training import TaskTraining
from xconv_bench.meters.gradient import CONVOLUTIONS
from xconv_bench.tasks import TaskOptions
from xconv_bench.tasks.classification import Classification
from xconv_bench.tasks.frechet import frechet_distance
from xconv_bench.tasks.generation import Generation
from xconv_bench.tasks.restoration import Inpainting, SuperResolution

SEEDS = 3
DRAWS = 100
OF_EACH_CLASS = 20


class Frozen(Classification):
    """A network in which everything but the convolutions is trained."""

    def build(self) -> nn.Module:
        """Return the network with convolutions that get no gradients."""
        model = super().build()
        for module in model.modules():
            if isinstance(module, CONVOLUTIONS):
                module.requires_grad_(False)
        return model


def main() -> None:
    """Print a line for each figure."""
    for name in ("paper/mnist", "paper/cifar"):
        accuracies = [_frozen_accuracy(name, seed) for seed in range(SEEDS)]
        print(f"{name}, convolutions frozen: accuracy {mean(accuracies):.3f}, {SEEDS} seeds")
    task = Generation(TaskOptions())
    drawn = [_distance(task, indices) for indices in _draws(task._labels)]
    print(f"{OF_EACH_CLASS} real digits of each class: Fréchet distance {mean(drawn):.0f}, from "
          f"{min(drawn):.0f} to {max(drawn):.0f} in {DRAWS} draws")  # fmt: skip
    print(f"all digits: {_distance(task, torch.arange(task.sample_count)):.0f}")
    for restoration in (SuperResolution, Inpainting):
        given, truth = restoration(TaskOptions()).references().values()
        psnr = peak_signal_noise_ratio(truth, given, data_range=1)
        ssim = structural_similarity(truth, given, data_range=1, channel_axis=2)
        print(f"{restoration.name}, what is given: {psnr:.2f} dB, SSIM {ssim:.3f}")


def _frozen_accuracy(name: str, seed: int) -> float:
    task = Frozen(TaskOptions(seed=seed, model=name))
    cell = TrainingConfiguration(
        name, batch_size=task.batch_size, image_size=task.image_size, seed=seed,
        learning_rate=task.learning_rate, epochs=task.epochs,
    )  # fmt: skip
    with TemporaryDirectory() as folder:
        training = TaskTraining(cell, lambda: task, Path(folder, "a.pt"), Path(folder))
        rows = [row for event in training() if isinstance(event, Rows) for row in event.rows]
    return float(rows[-1]["accuracy"])


def _draws(labels: Tensor) -> Iterator[Tensor]:
    """Yield the numbers of random samples, equally many of each class."""
    chance = torch.Generator().manual_seed(0)
    classes = [(labels == label).nonzero()[:, 0] for label in labels.unique()]
    for _ in range(DRAWS):
        orders = [torch.randperm(len(each), generator=chance) for each in classes]
        yield torch.cat([e[o[:OF_EACH_CLASS]] for e, o in zip(classes, orders, strict=True)])


def _distance(task: Generation, indices: Tensor) -> float:
    features = task.classifier.features
    return frechet_distance(features(task._images[indices]), features(task._real))


if __name__ == "__main__":
    main()
