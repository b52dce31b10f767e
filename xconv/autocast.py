"""How ``torch.autocast`` treats the layers: as torch's own, whose gradients it leaves alone."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def cast(tensor: Tensor) -> Tensor:
    """What ``torch.autocast`` would hand to torch's own convolution."""
    kind = tensor.device.type
    if not torch.amp.is_autocast_available(kind) or not torch.is_autocast_enabled(kind):
        return tensor
    if not tensor.is_floating_point() or tensor.dtype == torch.float64:
        return tensor
    return tensor.to(torch.get_autocast_dtype(kind))


def switched_off(kind: str) -> AbstractContextManager[object]:
    """Inside, nothing is cast on devices of this kind; some, such as meta, know no autocast."""
    if torch.amp.is_autocast_available(kind):
        return torch.autocast(kind, enabled=False)
    return nullcontext()
