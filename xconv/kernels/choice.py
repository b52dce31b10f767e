"""The decision to use kernels: where Triton is installed, for tensors on an NVIDIA GPU.

``XCONV_KERNELS=off`` in the environment, which is read at every call, switches kernels off. A call
whose input was kept by a kernel still uses a kernel in its backward pass: kernels and operators
draw other numbers from a seed, so what was kept records which of them kept it.
"""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec

import torch
from torch import Tensor

from xconv.random import SEED_LIMIT
from xconv.watching import are_kernels_allowed, has_memory


def may_be_used(device: torch.device) -> bool:
    """Return whether kernels may be used for tensors on ``device``."""
    return device.type == "cuda" and _is_installed() and are_kernels_allowed()


def claimed(seed: Tensor, like: Tensor) -> Tensor:
    """Return ``seed``, with the mark of kernels if they are to round numbers on ``like``'s device.

    Seeds are below ``SEED_LIMIT``; the mark is a bit above.
    """
    if may_be_used(like.device) and has_memory(like) and not is_claimed(seed):
        return seed + SEED_LIMIT
    return seed


def is_claimed(seed: Tensor) -> bool:
    """Return whether ``seed`` has the mark of kernels. A simulated seed has none."""
    return has_memory(seed) and seed.device.type == "cpu" and int(seed) >= SEED_LIMIT


def current(device: torch.device) -> AbstractContextManager[object]:
    """Return a context in which ``device`` is the current one, where kernels are launched."""
    if device.type != "cuda" or device.index in (None, torch.cuda.current_device()):
        return nullcontext()
    return torch.cuda.device(device)


@functools.cache
def _is_installed() -> bool:
    return torch.version.cuda is not None and find_spec("triton") is not None
