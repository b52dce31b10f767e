"""Questions about who sees what is done to tensors, and whether their memory may be used directly.

Kernels, on a GPU or compiled for the CPU, replace chains of torch's operators. Whoever traces,
counts or simulates operators must see the operators, so kernels are used only where nobody does.
"""

import os
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

Result = TypeVar("Result")

SWITCH = "XCONV_KERNELS"
_PLAIN = (Tensor, nn.Parameter)
_functorch = torch._C._functorch


def are_kernels_allowed() -> bool:
    """Return whether the environment, read at every call, leaves kernels switched on."""
    return os.environ.get(SWITCH) != "off"


def is_watched() -> bool:
    """Return whether a compiler or a dispatch mode sees what is done to tensors, whichever."""
    return torch.compiler.is_compiling() or bool(torch._C._len_torch_dispatch_stack())


def has_memory(tensor: Tensor) -> bool:
    """Return whether a kernel may read the memory of ``tensor``.

    Simulated tensors, and tensors of foreign classes, have none.
    """
    return type(tensor) in _PLAIN and not torch.compiler.is_compiling()


def is_plain(tensor: Tensor) -> bool:
    """Return whether ``tensor`` is neither of a foreign class nor wrapped by a transform."""
    return (
        type(tensor) in _PLAIN
        and not _functorch.is_functorch_wrapped_tensor(tensor)
        and not _functorch.is_legacy_batchedtensor(tensor)
    )


def is_unwatched(tensor: Tensor) -> bool:
    """Return whether only autograd sees what is done to ``tensor``.

    A kernel may then be launched directly, without an operator around it.
    """
    return not is_watched() and is_plain(tensor)


def unless_watched(
    function: Callable[..., Result], operator: Callable[..., Result], tensor: Tensor
) -> Callable[..., Result]:
    """Return ``function`` if nobody would see its ``operator`` run on ``tensor``, else that one.

    An operator around a function takes longer than many a function.
    """
    return function if is_unwatched(tensor) and not torch.is_grad_enabled() else operator
