"""How ``torch.autocast`` treats the layers: as torch's own, whose gradients it leaves alone."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

_UNKNOWN_TO_AUTOCAST = "meta"


def cast(tensor: Tensor) -> Tensor:
    """What ``torch.autocast`` would hand to torch's own convolution."""
    kind = tensor.device.type
    if kind == _UNKNOWN_TO_AUTOCAST or not torch.is_autocast_enabled(kind):
        return tensor
    if not tensor.is_floating_point() or tensor.dtype == torch.float64:
        return tensor
    return tensor.to(torch.get_autocast_dtype(kind))


def switched_off(kind: str) -> AbstractContextManager[object]:
    """Inside, nothing is cast on devices of this kind."""
    if kind == _UNKNOWN_TO_AUTOCAST:
        return nullcontext()
    return torch.autocast(kind, enabled=False)
