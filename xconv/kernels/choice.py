"""Whether kernels are used: where Triton is installed, for tensors on an NVIDIA GPU.

``XCONV_KERNELS=off`` in the environment, which is read at every call, switches them off. What one
call has kept by a kernel is read by a kernel all the same.
"""

from __future__ import annotations

import functools
import os
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


@functools.cache
def _is_installed() -> bool:
    return torch.version.cuda is not None and find_spec("triton") is not None
