"""The methods that keep what others published, with settings, and gradients by them."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from xconv_bench.configuration import Configuration
from xconv_bench.meters.saved import SavedMeter
from xconv_bench.methods import find_method

DIALS: dict[str, dict[str, Any]] = {
    "saved-tensors": {"bits": 2},
    "dual-precision": {"bits": 2, "patch": 8, "compress": "conv,relu"},
    "low-rank": {"rank": 0.5, "compress": "conv,relu"},
    "gradient-filter": {"patch": 2, "compress": "conv,relu"},
}


def cell_of(method: str, model: str = "own", **columns: Any) -> Configuration:
    """The cell of ``method`` with its dials; further columns replace them."""
    return Configuration(model, method, **{**DIALS[method], **columns})


def applied(model: nn.Module, method: str, **columns: Any) -> nn.Module:
    """A copy of ``model`` in the form of ``method``."""
    return find_method(method).apply(copy.deepcopy(model), cell_of(method, **columns))


def gradients(model: nn.Module, input: Tensor, weights: Tensor | None = None) -> list[Tensor]:
    """Gradients of all parameters; the loss has a random gradient, or that of ``weights``."""
    model.zero_grad()
    output = model(input)
    if weights is None:
        weights = torch.randn(output.shape, generator=torch.Generator().manual_seed(9))
    (output * weights).sum().backward()
    return [p.grad.clone() for p in model.parameters() if p.grad is not None]


def saved_bytes(model: nn.Module, input: Tensor) -> int:
    """Bytes that autograd keeps, parameters and ``input`` excluded."""
    with SavedMeter([*model.parameters(), *model.buffers(), input]) as meter:
        output = model(input)
    kept: int = meter.total_bytes
    del output
    return kept


def image(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
