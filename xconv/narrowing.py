"""Rounding of float32 to bfloat16 that keeps the mean.

bfloat16 is the upper half of float32: the same range, so that nothing overflows and no scale need
be kept. Add 16 random bits to the lower half and cut it off. The number is rounded away from zero
with a probability of its lower half over 2¹⁶, towards zero otherwise: right on average. Its error
is at most 2⁻⁷ of it, 2⁻¹⁶ in the mean of its square at the most, which is nothing beside the
variance of any sketch; but rounding to nearest would leave a bias, however many are averaged.
"""

import torch
from torch import Tensor

from xconv.random import random_words

_STREAM = -5
_LOWER = 0xFFFF


def narrowed(values: Tensor, seed: Tensor) -> Tensor:
    """Return ``values`` (float32, contiguous, any shape) in bfloat16, of the same mean over seeds.

    Infinities stay what they are, as do numbers that bfloat16 has.
    """
    chances = random_words(seed, _STREAM, values.numel(), torch.int32, values.device)
    bits = chances.bitwise_and_(_LOWER).view(values.shape).add_(values.view(torch.int32))
    return bits.bitwise_right_shift_(16).to(torch.int16).view(torch.bfloat16)
