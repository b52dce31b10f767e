"""A photograph restored by nothing but a network's shape: deep image prior.

Ulyanov, Vedaldi and Lempitsky, "Deep image prior", CVPR 2018: the weights θ of a skip network are
fitted to a damaged image y = A(x), min_θ ‖A(f_θ(z)) - y‖², with fixed noise z; before it fits the
damage, f_θ(z) is close to x. As there, z is disturbed a little in each iteration.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xconv_bench.errors import UsageError, suggest
from xconv_bench.models.skip_network import SkipNetwork
from xconv_bench.tasks.base import Image, Measure, Task, TaskOptions, refuse_folder
from xconv_bench.tasks.order import generator

PHOTOGRAPHS = ("astronaut", "coffee", "chelsea", "rocket")
"""Photographs of scikit-image, in colours."""

PSNR = Measure("psnr_db", "PSNR", "peak signal to noise of the restored photograph, in dB")
SSIM = Measure("ssim", "SSIM", "structural similarity of it and the photograph")

_ITERATIONS = 60
"""An epoch is so many steps on the one image."""
_NOISE_CHANNELS = 16
_NOISE = 0.1
_DISTURBANCE = 0.03
_FACTOR = 4
_MISSING = 0.6
_MULTIPLE = 8
_LEAST = 16


class _DeepImagePrior(Task):
    """Adam on the one image; judged by PSNR, then SSIM, of the output against the photograph."""

    measures: ClassVar[tuple[Measure, ...]] = (PSNR, SSIM)
    has_batches: ClassVar[bool] = False
    batch_size = sample_count = 1
    epochs = 10
    learning_rate = 0.01
    image_size = 96
    model = "skip"

    def __init__(self, options: TaskOptions) -> None:
        self.data = options.data or PHOTOGRAPHS[0]
        if self.data not in PHOTOGRAPHS:
            choice = suggest(self.data, PHOTOGRAPHS)
            raise UsageError(f"--data {self.data!r} is no photograph of {self.name}: {choice}")
        refuse_folder(options, "photographs")
        if options.model not in (None, self.model):
            raise UsageError(f"--model {options.model!r}: {self.name} is trained with {self.model}")
        if options.batch_size not in (None, 1):
            raise UsageError(f"--batch-size {options.batch_size}: {self.name} is of one image")
        self.image_size = options.image_size or self.image_size
        if self.image_size % _MULTIPLE or self.image_size < _LEAST:
            raise UsageError(
                f"--image-size {self.image_size}: the skip network takes multiples of {_MULTIPLE}, "
                f"from {_LEAST} on"
            )
        self.epochs = options.epochs or self.epochs
        self.learning_rate = options.learning_rate or self.learning_rate
        self._seed = options.seed
        self._truth = _photograph(self.data, self.image_size)
        shape = (1, _NOISE_CHANNELS, self.image_size, self.image_size)
        self._noise = torch.rand(shape, generator=generator(self._seed)) * _NOISE

    @abstractmethod
    def damaged(self) -> dict[str, Tensor]:
        """Return the known part of the photograph: the tensors of a batch beside ``noise``."""

    @abstractmethod
    def misfit(self, output: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        """Measure how far an output (1, 3, S, S) is from the known part."""

    def build(self) -> nn.Module:
        """Build the skip network."""
        return SkipNetwork(_NOISE_CHANNELS)

    def optimizer(self, model: nn.Module, learning_rate: float) -> Any:
        """Return Adam, as published."""
        return torch.optim.Adam(model.parameters(), learning_rate)

    def steps(self) -> int:
        """Count the iterations of an epoch."""
        return _ITERATIONS

    def batches(self, epoch: int) -> Iterator[Mapping[str, Tensor]]:
        """Yield ``noise`` (1, 16, S, S), disturbed, and the known part of the photograph."""
        known = self.damaged()
        for step in range(_ITERATIONS):
            chance = generator(self._seed, epoch, step)
            shift = torch.randn(self._noise.shape, generator=chance) * _DISTURBANCE
            yield {"noise": self._noise + shift, **known}

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the misfit of the output."""
        return self.misfit(model(batch["noise"]), batch)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Return PSNR and SSIM against the photograph."""
        from skimage.metrics import peak_signal_noise_ratio, structural_similarity

        output, truth = self._output(model), _image(self._truth)
        return {
            "psnr_db": float(peak_signal_noise_ratio(truth, output, data_range=1)),
            "ssim": float(structural_similarity(truth, output, data_range=1, channel_axis=2)),
        }

    def pictures(self, model: nn.Module) -> dict[str, Image]:
        """Return the restored photograph."""
        return {"output": self._output(model)}

    def _output(self, model: nn.Module) -> Image:
        device = next(model.parameters()).device
        return _image(model(self._noise.to(device)).cpu())


class SuperResolution(_DeepImagePrior):
    """A photograph from one a quarter as wide and as high, each pixel the mean of 16."""

    name: ClassVar[str] = "super-resolution"

    def damaged(self) -> dict[str, Tensor]:
        """Return ``small`` (1, 3, S/4, S/4)."""
        return {"small": F.avg_pool2d(self._truth, _FACTOR)}

    def misfit(self, output: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the mean square between the small photograph and the output made small."""
        return F.mse_loss(F.avg_pool2d(output, _FACTOR), batch["small"])

    def references(self) -> dict[str, Image]:
        """Return the small photograph, enlarged, and the photograph."""
        small = self.damaged()["small"]
        enlarged = F.interpolate(small, scale_factor=_FACTOR, mode="bicubic").clamp(0, 1)
        return {"input": _image(enlarged), "truth": _image(self._truth)}


class Inpainting(_DeepImagePrior):
    """A photograph of which three in five pixels are missing."""

    name: ClassVar[str] = "inpainting"

    def damaged(self) -> dict[str, Tensor]:
        """Return ``image`` (1, 3, S, S), 0 where missing; ``mask`` (1, 1, S, S), 1 elsewhere."""
        chance = generator(self._seed, self.image_size)
        mask = torch.rand((1, 1, self.image_size, self.image_size), generator=chance) >= _MISSING
        return {"image": self._truth * mask, "mask": mask.float()}

    def misfit(self, output: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the mean square over the pixels that there are."""
        return F.mse_loss(output * batch["mask"], batch["image"])

    def references(self) -> dict[str, Image]:
        """Return the masked photograph, and the whole one."""
        return {"input": _image(self.damaged()["image"]), "truth": _image(self._truth)}


def _photograph(name: str, size: int) -> Tensor:
    """Return the middle of a photograph (1, 3, S, S) from 0 to 1."""
    import skimage.data
    from PIL import Image as Pillow

    image = Pillow.fromarray(getattr(skimage.data, name)())
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side))
    pixels = np.asarray(square.resize((size, size), Pillow.Resampling.LANCZOS), np.float32) / 255
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].contiguous()


def _image(tensor: Tensor) -> Image:
    picture: Image = tensor[0].permute(1, 2, 0).numpy().clip(0, 1)
    return picture
