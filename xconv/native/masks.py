"""One bit per element, packed and unpacked in one pass, as ``xconv.saved.relu`` does it.

Elements follow each other in memory order; bit i of a byte belongs to the byte's element i.
Functions that return a boolean return False, having done nothing, where a kernel may not be used.
"""

import torch
from torch import Tensor

from xconv.native.calling import Library
from xconv.native.library import library_for_floats


def pack_passing(output: Tensor, packed: Tensor) -> bool:
    """Write a bit for each of the n elements of ``output`` to ``packed`` (uint8, ⌈n/8⌉).

    The bit is ``not output <= 0``.
    """
    library = library_for_floats(output, packed)
    if library is not None:
        count = output.numel()
        library.run("pack_passing", output, None, packed, count, torch.get_num_threads())
    return library is not None


def relu(library: Library, input: Tensor, output: Tensor, packed: Tensor) -> None:
    """Write ``torch.relu(input)`` to ``output``, and its bits to ``packed``.

    ``output`` may be ``input``. ``library_for_floats`` has found the library for it.
    """
    count = input.numel()
    library.run("pack_passing", input, output, packed, count, torch.get_num_threads())


def mask_gradient(gradient: Tensor, packed: Tensor, target: Tensor) -> bool:
    """Write ``gradient`` to ``target`` where its bit is set, 0 elsewhere."""
    library = library_for_floats(gradient, packed, target)
    if library is not None:
        count = gradient.numel()
        library.run("mask_words", gradient, packed, target, count, torch.get_num_threads())
    return library is not None
