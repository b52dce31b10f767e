"""Whether kernels are used: where Triton is installed, for tensors on an NVIDIA GPU.

``XCONV_KERNELS=off`` in the environment, which is read at every call, switches them off. What one
call has kept by a kernel is read by a kernel all the same.
"""

from __future__ import annotations

import functools
import os
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec

import torch
from torch import Tensor, nn

SWITCH = "XCONV_KERNELS"


def may_be_used(device: torch.device) -> bool:
    """Return whether kernels may be used for tensors on ``device``."""
    return device.type == "cuda" and _is_installed() and os.environ.get(SWITCH) != "off"


def has_memory(tensor: Tensor) -> bool:
    """Return whether ``tensor`` is a plain one, whose memory a kernel may read: neither simulated
    nor of a class of somebody else's."""
    return type(tensor) in (Tensor, nn.Parameter) and not torch.compiler.is_compiling()


def is_unwatched(tensor: Tensor) -> bool:
    """Return whether nobody but autograd sees what is done to ``tensor``, so that a kernel may be
    launched without the detour by an operator."""
    functorch = torch._C._functorch
    return (
        has_memory(tensor)
        and not torch._C._len_torch_dispatch_stack()
        and not functorch.is_batchedtensor(tensor)
        and not functorch.is_legacy_batchedtensor(tensor)
    )


def current(device: torch.device) -> AbstractContextManager[object]:
    """Inside, ``device`` is the current one, where kernels are launched."""
    if device.type != "cuda" or device.index in (None, torch.cuda.current_device()):
        return nullcontext()
    return torch.cuda.device(device)


@functools.cache
def _is_installed() -> bool:
    return torch.version.cuda is not None and find_spec("triton") is not None
