"""Survey of models and devices before anything is measured."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from xconv_bench.configuration import SIMULATED
from xconv_bench.errors import BenchError, UsageError
from xconv_bench.events import Event
from xconv_bench.models import find
from xconv_bench.models.messages import did_you_mean


@dataclass(frozen=True)
class Survey:
    """Yields ``{"designed_sizes": {model: pixels a side}}``.

    ``computes`` says that what is to be measured needs figures, which simulated tensors have not.
    Raises UsageError for a model or device that does not exist and for an image size that a model
    does not take, BenchError for a device that this machine lacks.
    """

    models: tuple[str, ...]
    devices: tuple[str, ...]
    image_sizes: tuple[int, ...] = ()
    computes: bool = False

    def __call__(self) -> Iterator[Event]:
        """Look at every model, size and device."""
        for device in self.devices:
            if device != SIMULATED:
                _check_device(device, self.computes)
            elif self.computes:
                raise UsageError(
                    f"--device {SIMULATED}: this command computes, and simulated tensors have no "
                    "contents: take cpu or cuda"
                )
        architectures = [find(name) for name in self.models]
        for architecture in architectures:
            for image_size in self.image_sizes:
                architecture.check(image_size)
        sizes = [architecture.image_size for architecture in architectures]
        yield {"designed_sizes": dict(zip(self.models, sizes, strict=True))}


def _check_device(name: str, computes: bool) -> None:
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        known = "cpu, cuda or cuda:N" if computes else f"cpu, cuda, cuda:N or {SIMULATED}"
        near = did_you_mean(name, ("cpu", "cuda", SIMULATED))
        raise UsageError(f"--device {name!r} is unknown: expected {known}{near}")
    if device.type == "cpu":
        return
    count = torch.cuda.device_count()
    if not torch.cuda.is_available() or count == 0:
        raise BenchError(
            f"--device {name}: no CUDA device is usable here (torch {torch.__version__}); "
            "use --device cpu" + ("" if computes else ", or --device simulated, which needs no GPU")
        )
    if (device.index or 0) >= count:
        raise UsageError(f"--device {name}: the last CUDA device is cuda:{count - 1}")
