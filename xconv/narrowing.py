"""Random rounding of float32 to bfloat16 that keeps the mean.

bfloat16 is the upper half of float32: the range is the same, so nothing overflows and no scale
needs to be kept. Add 16 random bits to the lower half and cut it off. A number is then rounded away
from zero with a probability of its lower half over 2¹⁶, and towards zero otherwise, so the mean is
right. The error is at most 2⁻⁷ of the number and its mean square at most 2⁻¹⁶ of the number's,
which is negligible beside the variance of any sketch. Rounding to nearest would leave a bias that
no averaging removes.
"""

import torch
from torch import Tensor

from xconv.random import random_words

STREAM = -5
"""The stream of random numbers that round."""
_LOWER = 0xFFFF


def narrowed(values: Tensor, seed: Tensor) -> Tensor:
    """Return ``values`` (float32, contiguous, any shape) in bfloat16, with the same mean.

    The mean is over seeds. Infinities, and numbers that bfloat16 represents, are returned
    unchanged.
    """
    chances = random_words(seed, STREAM, values.numel(), torch.int32, values.device)
    bits = chances.bitwise_and_(_LOWER).view(values.shape).add_(values.view(torch.int32))
    return bits.bitwise_right_shift_(16).to(torch.int16).view(torch.bfloat16)
