"""How ``torch.autocast`` treats the layers: as torch's own, whose gradients it leaves alone."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

_UNKNOWN_TO_AUTOCAST = "meta"

_IN_FLOAT32 = {
    (operator, kind.lower())
    for operator in ("layer_norm", "group_norm", "rms_norm")
    for kind in ("CPU", "CUDA", "XPU", "MPS")
    if torch._C._dispatch_has_kernel_for_dispatch_key(f"aten::{operator}", f"Autocast{kind}")
}
"""Operators, and the kinds of devices on which autocast has them in float32."""


def cast(tensor: Tensor) -> Tensor:
    """What ``torch.autocast`` would hand to torch's own convolution."""
    kind = tensor.device.type
    if kind == _UNKNOWN_TO_AUTOCAST or not torch.is_autocast_enabled(kind):
        return tensor
    if not tensor.is_floating_point() or tensor.dtype == torch.float64:
        return tensor
    return tensor.to(torch.get_autocast_dtype(kind))


def widened(operator: str, tensor: Tensor) -> Tensor:
    """What ``torch.autocast`` would hand to torch's own normalisation ``operator``."""
    kind = tensor.device.type
    if (operator, kind) not in _IN_FLOAT32 or not torch.is_autocast_enabled(kind):
        return tensor
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def switched_off(kind: str) -> AbstractContextManager[object]:
    """Inside, nothing is cast on devices of this kind."""
    if kind == _UNKNOWN_TO_AUTOCAST:
        return nullcontext()
    return torch.autocast(kind, enabled=False)
