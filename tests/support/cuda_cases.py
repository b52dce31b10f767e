"""Cases that the tests that need a GPU share."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from xconv.conversion import FAMILIES

DEVICE = torch.device("cuda")
FAMILY_SETS = [(name,) for name in FAMILIES] + [tuple(FAMILIES)]
"""Each family of layers that ``convert`` swaps alone, and all of them."""


def network() -> nn.Sequential:
    """A layer of every kind that ``convert`` may swap, on the GPU; maps of 24, 12 and 12 pixels."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(8, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.GroupNorm(4, 32),
        nn.GELU(),
        nn.Dropout(0.1),
        nn.Conv2d(32, 32, 3, padding=1),
        nn.SiLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(32, 10),
    ).to(DEVICE)


def images(batch: int = 8, channels: int = 8, side: int = 24, **kwargs: Any) -> Tensor:
    """Always the same ones, drawn on the CPU."""
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, channels, side, side, generator=generator).to(DEVICE, **kwargs)


def step(
    model: Callable[..., Tensor],
    input: Tensor,
    seed: int = 0,
    cast: AbstractContextManager[object] | None = None,
) -> dict[str, Tensor]:
    """Output, input gradient and gradients of the parameters, drawn from ``seed``."""
    leaf = input.detach().requires_grad_()
    assert isinstance(model, nn.Module)
    model.zero_grad()
    torch.manual_seed(seed)
    with cast or nullcontext():
        output = model(leaf)
    output.float().square().sum().backward()
    assert leaf.grad is not None
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    return {"output": output.detach().clone(), "input": leaf.grad, **found}


def relative(actual: Tensor, expected: Tensor) -> float:
    """Distance of two tensors, relative to the second's norm."""
    difference = (actual.double() - expected.double()).norm()
    return float(difference / expected.double().norm())


@contextmanager
def tf32(is_allowed: bool) -> Iterator[None]:
    """Convolutions may use TF32, or may not; by the interface that this torch prefers."""
    cudnn: Any = torch.backends.cudnn
    if hasattr(torch.backends.cuda.matmul, "fp32_precision"):
        policy, name, value = cudnn.conv, "fp32_precision", "tf32" if is_allowed else "ieee"
    else:
        policy, name, value = cudnn, "allow_tf32", is_allowed
    before = getattr(policy, name)
    setattr(policy, name, value)
    try:
        yield
    finally:
        setattr(policy, name, before)


@contextmanager
def repeatable() -> Iterator[None]:
    """cuDNN chooses kernels that give the same bits each time."""
    before = torch.backends.cudnn.deterministic
    torch.backends.cudnn.deterministic = True
    try:
        yield
    finally:
        torch.backends.cudnn.deterministic = before


@contextmanager
def synchronising_is_an_error() -> Iterator[None]:
    """Inside, an operation that waits for the GPU raises RuntimeError."""
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")
