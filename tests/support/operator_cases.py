"""Layouts, dtypes and a seed for checks of our operators."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.library import opcheck

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


def is_usual(lay: Callable[[Tensor], Tensor]) -> bool:
    """Return whether images of torch's lie like this."""
    return lay in (LAYOUTS["contiguous"], LAYOUTS["channels last"])


def check(operator: Any, *args: Any, fully: bool = True) -> None:
    """Check what an operator says of its arguments and results; ``fully``, that it can be traced.

    Tracing takes most of the time and depends on sizes, strides and dtypes by way of the simulated
    results alone, which are compared with the real ones in any case.
    """
    kinds = ("test_schema", "test_faketensor")
    opcheck(operator, args, **({} if fully else {"test_utils": kinds}))


def operator(name: str) -> Any:
    return getattr(torch.ops.xconv, name).default
