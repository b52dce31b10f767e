"""One bit per element, packed and unpacked in one pass, as ``xconv.saved.relu`` does it.

Elements follow each other in memory order; bit i of a byte belongs to the byte's element i. Each
function returns False, having done nothing, where a kernel may not be used.
"""

from torch import Tensor

from xconv.native.library import library_for_floats


def pack_passing(output: Tensor, packed: Tensor) -> bool:
    """Write a bit for each of the n elements of ``output`` to ``packed`` (uint8, ⌈n/8⌉).

    The bit is ``not output <= 0``.
    """
    library = library_for_floats(output, packed)
    if library is not None:
        library.run("pack_passing", output, packed, output.numel())
    return library is not None


def mask_gradient(gradient: Tensor, packed: Tensor, target: Tensor) -> bool:
    """Write ``gradient`` to ``target`` where its bit is set, 0 elsewhere."""
    library = library_for_floats(gradient, packed, target)
    if library is not None:
        library.run("mask_words", gradient, packed, target, gradient.numel())
    return library is not None
