"""A task that trains in a blink: which of two directions stripes have."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xconv_bench.tasks import Image, Measure, Task, TaskOptions
from xconv_bench.tasks.measures import ACCURACY
from xconv_bench.tasks.order import generator


class Stripes(Task):
    name: ClassVar[str] = "stripes"
    measures: ClassVar[tuple[Measure, ...]] = (ACCURACY,)
    data, model, image_size, batch_size, epochs, learning_rate = "stripes", "tiny", 12, 8, 3, 0.01
    sample_count = 32

    def __init__(self, options: TaskOptions) -> None:
        self._seed = options.seed
        self.learning_rate = options.learning_rate or self.learning_rate

    def build(self) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.2),
            nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
            nn.Linear(4, 2),
        )  # fmt: skip

    def optimizer(self, model: nn.Module, learning_rate: float) -> Any:
        return torch.optim.Adam(model.parameters(), learning_rate)

    def steps(self) -> int:
        return 4

    def batches(self, epoch: int) -> Iterator[Mapping[str, Tensor]]:
        for step in range(4):
            yield _stripes(self.batch_size, generator(self._seed, epoch, step))

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        return F.cross_entropy(model(batch["image"]), batch["label"])

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        torch.rand(5)  # whatever an evaluation draws must not be missed afterwards
        batch = _stripes(64, generator(99))
        right = model(batch["image"]).argmax(1) == batch["label"]
        return {"accuracy": float(right.float().mean())}

    def pictures(self, model: nn.Module) -> dict[str, Image]:
        return {"output": np.full((4, 4), 0.5)}

    def references(self) -> dict[str, Image]:
        return {"truth": np.ones((4, 4, 3))}


def _stripes(count: int, chance: torch.Generator) -> dict[str, Tensor]:
    labels = torch.randint(2, (count,), generator=chance)
    wave = torch.sin(torch.arange(12.0) * 1.5)
    images = torch.stack([wave[:, None].expand(12, 12), wave.expand(12, 12)])[labels][:, None]
    return {"image": images + torch.randn(images.shape, generator=chance), "label": labels}


@dataclass(frozen=True)
class MakeStripes:
    """Makes the task where it is called."""

    seed: int = 0

    def __call__(self) -> Task:
        return Stripes(TaskOptions(seed=self.seed))
