"""Matrix products that follow torch's precision setting for convolutions.

On CUDA, float32 convolutions may use TF32 by default while matrix products may not. A sketch is
part of a convolution, so its products are computed as the convolution would be.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch


def allows_tf32() -> bool:
    """Return whether float32 convolutions may use TF32.

    torch's flag decides, unless the variable ``NVIDIA_TF32_OVERRIDE=0`` forbids TF32 altogether.
    """
    if os.environ.get("NVIDIA_TF32_OVERRIDE") == "0":
        return False
    cudnn: Any = torch.backends.cudnn
    if hasattr(torch.backends.cuda.matmul, "fp32_precision"):
        return bool(cudnn.conv.fp32_precision == "tf32")
    return bool(cudnn.allow_tf32)


def convolution_precision(device: torch.device) -> AbstractContextManager[None]:
    """Return a context in which float32 products use TF32 exactly where convolutions may."""
    cudnn: Any = torch.backends.cudnn
    if device.type != "cuda":
        return nullcontext()
    if hasattr(torch.backends.cuda.matmul, "fp32_precision"):
        return _borrowed(cudnn.conv.fp32_precision, "fp32_precision")
    return _borrowed(cudnn.allow_tf32, "allow_tf32")


@contextmanager
def _borrowed(policy: object, name: str) -> Iterator[None]:
    """Set the flag ``name`` of matrix products to ``policy`` inside the context."""
    products = torch.backends.cuda.matmul
    before = getattr(products, name)
    if before == policy:
        yield
        return
    setattr(products, name, policy)
    try:
        yield
    finally:
        setattr(products, name, before)
