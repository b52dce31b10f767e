"""Kernels that give the same result again."""

import os

import torch
from torch.utils import deterministic


def use_repeatable_kernels(device: str) -> None:
    """Take deterministic kernels on a GPU, for the rest of this process; a CPU has no others.

    torch warns of an operation that has none, and takes the one that there is. Memory that is not
    written to is not filled, which torch would do too: a step takes what it takes elsewhere.
    """
    if not device.startswith("cuda"):
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(True, warn_only=True)
    deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
