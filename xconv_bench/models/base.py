"""What a model of the registry is."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from xconv_bench.data.tasks import Task
from xconv_bench.errors import UsageError


@dataclass(frozen=True)
class Architecture:
    """A network by name, with what it takes and how it is trained.

    ``make`` makes it for an image size (pixels a side); call ``build``, which checks the size.
    ``sample_shape`` maps an image size to the shape of one input without the batch.
    ``image_size`` is the size it was designed for; ``smallest``, ``largest`` and ``multiple`` say
    which others it can be trained at. ``note`` is whatever else a user should know.
    """

    name: str
    family: str
    make: Callable[[int], nn.Module]
    sample_shape: Callable[[int], tuple[int, ...]]
    task: Task
    image_size: int = 224
    smallest: int = 1
    largest: int | None = None
    multiple: int = 1
    note: str = ""

    def build(self, image_size: int) -> nn.Module:
        """The network in float32 on the CPU, nothing downloaded.

        Its weights are random, from torch's default generator. Raises UsageError where the network
        does not exist at this image size.
        """
        if not self._takes(image_size):
            raise UsageError(f"{self.name} takes images of {self._sizes}, not of {image_size}")
        return self.make(image_size)

    @property
    def remark(self) -> str:
        """What a user should know before choosing it, in one line; often nothing."""
        limited = not (self.smallest == self.multiple == 1 and self.largest is None)
        return "; ".join(part for part in (self._sizes if limited else "", self.note) if part)

    def _takes(self, image_size: int) -> bool:
        largest = image_size if self.largest is None else self.largest
        return max(self.smallest, 1) <= image_size <= largest and image_size % self.multiple == 0

    @property
    def _sizes(self) -> str:
        if self.smallest == self.largest:
            return f"{self.smallest} pixels a side"
        ...


def square_image(channels: int) -> Callable[[int], tuple[int, ...]]:
    """``sample_shape`` of a network that takes square images: (channels, size, size)."""
    return lambda image_size: (channels, image_size, image_size)
