"""The Oxford-IIIT pets, as torchvision reads them: photographs, and which pixels are a pet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from xconv_bench.errors import BenchError, UsageError
from xconv_bench.models.messages import reason
from xconv_bench.models.torchvision_shim import import_torchvision

_PET = 1
"""In a trimap; 2 is what is not, 3 the border, which counts as not."""


class Pets:
    """A part of the data set: squares from the middle, resized."""

    def __init__(self, pairs: Any, size: int) -> None:
        self._pairs = pairs
        self._size = size

    @classmethod
    def both(cls, directory: Path | None, download: bool, size: int) -> tuple[Pets, Pets]:
        """Return samples to train on and to test on. Raises UsageError where they are not there."""
        if directory is None:
            raise UsageError("--data oxford-pet needs --data-dir, the folder that it lies in")
        import_torchvision()
        from torchvision.datasets import OxfordIIITPet

        parts = []
        for part in ("trainval", "test"):
            try:
                pairs = OxfordIIITPet(
                    str(directory), split=part, target_types="segmentation", download=download
                )
            except RuntimeError as error:
                raise UsageError(
                    f"--data-dir {directory}: the pets are not there or not whole: --download "
                    "fetches them"
                ) from error
            except OSError as error:
                raise BenchError(f"the pets cannot be fetched or read: {reason(error)}") from error
            parts.append(cls(pairs, size))
        training, test = parts
        return training, test

    def __len__(self) -> int:
        return len(self._pairs)

    def pair(self, index: int) -> tuple[Tensor, Tensor]:
        """Return a photograph (3, S, S) from 0 to 1, and its mask (1, S, S) of 0 and 1."""
        from PIL import Image

        image, trimap = self._pairs[index]
        size = (self._size, self._size)
        square = _square(image.convert("RGB")).resize(size, Image.Resampling.BILINEAR)
        marks = _square(trimap).resize(size, Image.Resampling.NEAREST)
        pixels = torch.from_numpy(np.asarray(square, np.float32) / 255).permute(2, 0, 1)
        return pixels.contiguous(), torch.from_numpy(np.asarray(marks) == _PET).float()[None]


def _square(image: Any) -> Any:
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))
