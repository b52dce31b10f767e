"""Whether there will be a backward pass to keep anything for."""

import torch
from torch import Tensor

is_exporting = getattr(torch.compiler, "is_exporting", lambda: False)
"""Whether ``torch.export`` is at work. torch before 2.7 does not tell: export under ``no_grad``."""


def is_differentiated(*tensors: Tensor | None) -> bool:
    """Whether autograd follows any of these; never in an exported program, which runs forward."""
    is_followed = torch.is_grad_enabled() and any(
        t is not None and t.requires_grad for t in tensors
    )
    return is_followed and not is_exporting()
