"""Architectures: the form of every model in the registry."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from xconv_bench.errors import UsageError
from xconv_bench.models.several_inputs import check_takes_one_input
from xconv_bench.models.sizes import ANY_SIZE, ImageSizes
from xconv_bench.objectives.objective import Objective


@dataclass(frozen=True)
class Architecture:
    """A network by name, with what it takes and how it is trained.

    ``make`` makes it for an image size (pixels a side); callers use ``build``, which looks at the
    size first. ``sample_shape`` maps an image size to the shape of one input without the batch.
    ``image_size`` is the size it was designed for, ``sizes`` are all that it takes.
    ``inputs`` makes what the network is given, of a batch size and an image size, where that is not
    one tensor of ``sample_shape``: a tensor, positional arguments in a tuple, or named in a dict.
    With ``inputs_by_sample`` they are tensors with a row for each sample, drawn apart, so that a
    sample is the same in all batches.
    """

    name: str
    family: str
    make: Callable[[int], nn.Module]
    sample_shape: Callable[[int], tuple[int, ...]]
    objective: Objective
    image_size: int = 224
    sizes: ImageSizes = ANY_SIZE
    note: str = ""
    inputs: Callable[[int, int], Any] | None = None
    inputs_by_sample: bool = False

    def build(self, image_size: int) -> nn.Module:
        """Build the network in float32 on the CPU, nothing downloaded.

        Its weights are random, drawn from torch's default generator. Raises UsageError where the
        network does not exist for this image size, or needs inputs that nobody gives.
        """
        self.check(image_size)
        model = self.make(image_size)
        if self.inputs is None:
            check_takes_one_input(model, self.name)
        return model

    def check(self, image_size: int) -> None:
        """Raise UsageError where the network does not exist for this image size."""
        if image_size not in self.sizes:
            raise UsageError(
                f"{self.name} takes images whose side is {self.sizes}, not {image_size}: "
                "choose another image size"
            )

    @property
    def remark(self) -> str:
        """Return advice before choosing it, in one line; often empty."""
        sizes = "" if self.sizes == ANY_SIZE else f"{self.sizes} a side"
        return "; ".join(part for part in (sizes, self.note) if part)


def square_image(channels: int) -> Callable[[int], tuple[int, ...]]:
    """Return ``sample_shape`` of networks that take square images: (channels, size, size)."""
    return lambda image_size: (channels, image_size, image_size)
