"""Layouts, dtypes and a seed for checks of our operators."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

SEED = torch.tensor(12345678901)
DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16]

LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "contiguous": lambda t: t,
    "channels last": lambda t: t.movedim(1, -1).contiguous().movedim(-1, 1),
    "pixels turned": lambda t: t.transpose(-1, -2).contiguous().transpose(-1, -2),
    "batch innermost": lambda t: t.movedim(0, -1).contiguous().movedim(-1, 0),
    "slice": lambda t: torch.stack([t, t], -1)[..., 0],
    "expanded": lambda t: t[:, :1].expand(t.shape),
}
every_layout = pytest.mark.parametrize("lay", LAYOUTS.values(), ids=LAYOUTS)
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)


def operator(name: str) -> Any:
    return getattr(torch.ops.xconv, name).default
