"""One bit per element, packed and unpacked in one pass, as ``xconv.saved.relu`` does it.

Elements follow each other in memory order; bit i of a byte belongs to the byte's element i.
"""

import torch
from torch import Tensor

from xconv.native.calling import Library


def pack_passing(library: Library, output: Tensor, packed: Tensor) -> bool:
    """Write a bit for each of the n elements of ``output`` to ``packed`` (uint8, ⌈n/8⌉).

    The bit is ``not output <= 0``. Returns False, having done nothing, unless the dtype of
    ``output`` is float32.
    """
    if output.dtype != torch.float32:
        return False
    library.run("pack_passing", output, packed, output.numel())
    return True


def mask_gradient(library: Library, gradient: Tensor, packed: Tensor, target: Tensor) -> bool:
    """Write ``gradient`` to ``target`` where its bit is set, 0 elsewhere.

    Returns False, having done nothing, unless the dtype of both is float32.
    """
    if gradient.dtype != torch.float32:
        return False
    library.run("mask_words", gradient, packed, target, gradient.numel())
    return True
