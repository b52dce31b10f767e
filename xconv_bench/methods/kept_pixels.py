"""Randomized automatic differentiation of convolutions: a fraction of the pixels is kept."""

from dataclasses import dataclass
from math import prod

from torch import Tensor

from xconv_bench.methods.stored_inputs import InputStore, StoredInputMethod


@dataclass(frozen=True)
class KeptPixels(InputStore):
    """Stores for each channel one number for each pixel that is kept."""

    keep: float

    def stored_bytes(self, input: Tensor) -> int:
        """Channels times kept pixels."""
        pixels = prod(input.shape[2:])
        return input.numel() // max(pixels, 1) * kept_pixels(pixels, self.keep) * input.itemsize


class KeptPixelsMethod(StoredInputMethod):
    """A method with the knob ``keep``, the part of the pixels that is kept."""

    knobs = ("keep", "compress")


def kept_pixels(pixels: int, keep: float) -> int:
    """How many of an image's pixels are kept: one at least.

    >>> kept_pixels(1024, 0.1), kept_pixels(4, 0.1)
    (102, 1)
    """
    return max(1, int(pixels * keep))
