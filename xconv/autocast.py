"""Casts that ``torch.autocast`` makes for torch's own layers, made here for ours."""

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
"""Normalisations that autocast computes in float32, each with the device types where it does."""


def cast(tensor: Tensor) -> Tensor:
    """Return ``tensor`` in the dtype in which ``torch.autocast`` runs convolutions."""
    kind = tensor.device.type
    if kind == _UNKNOWN_TO_AUTOCAST or not torch.is_autocast_enabled(kind):
        return tensor
    if not tensor.is_floating_point() or tensor.dtype == torch.float64:
        return tensor
    return tensor.to(torch.get_autocast_dtype(kind))


def widened(operator: str, tensor: Tensor) -> Tensor:
    """Return ``tensor`` in the dtype in which ``torch.autocast`` runs a normalisation.

    ``operator`` names the normalisation, as in ``torch.ops.aten``.
    """
    kind = tensor.device.type
    if (operator, kind) not in _IN_FLOAT32 or not torch.is_autocast_enabled(kind):
        return tensor
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def switched_off(kind: str) -> AbstractContextManager[object]:
    """Return a context in which autocast is off on devices of type ``kind``."""
    if kind == _UNKNOWN_TO_AUTOCAST or not torch.is_autocast_enabled(kind):
        return nullcontext()
    return torch.autocast(kind, enabled=False)
