"""Networks that override methods of ``torch.nn.Module`` for purposes of their own."""

from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

SIDE = 8

OVERRIDDEN = (
    "train", "eval", "to", "state_dict", "load_state_dict", "parameters", "named_parameters",
    "buffers", "named_buffers", "modules", "named_modules", "children", "named_children",
    "zero_grad", "requires_grad_", "half", "float", "double", "cuda", "cpu", "apply",
    "register_forward_hook", "register_forward_pre_hook", "get_submodule", "get_parameter",
)  # fmt: skip


def name(network: str) -> str:
    """Return the name by which ``--model`` takes one of these networks."""
    return f"{Path(__file__).resolve()}:{network}"


class Plain(nn.Module):
    """A residual network in little: blocks, batch normalisation, one-dimensional output."""

    def __init__(self, block: type[nn.Module] | None = None) -> None:
        super().__init__()
        block = block or Block
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.blocks = nn.Sequential(block(), block())
        self.head = nn.Linear(4, 5)

    def forward(self, image: Tensor) -> Tensor:
        return self.head(self.blocks(self.stem(image)).mean((2, 3)))


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.relu = nn.ReLU()

    def forward(self, features: Tensor) -> Tensor:
        return features + self.relu(self.norm(self.conv(features)))


def plain() -> nn.Module:
    return Plain()


def _says_nothing(self: nn.Module, *args: Any, **kwargs: Any) -> None:
    return None


def _refuses(self: nn.Module, *args: Any, **kwargs: Any) -> NoReturn:
    raise AssertionError("this is not torch's method")


def _called(self: Any, *args: Any, **kwargs: Any) -> Any:
    """A ``__call__`` that passes torch's, and ``forward``, by."""
    return type(self).forward(self, *args, **kwargs)


def _overriding(kind: type[nn.Module], method: Any) -> type[nn.Module]:
    methods = {**dict.fromkeys(OVERRIDDEN, method), "__call__": _called}
    return type(f"Overriding{kind.__name__}", (kind,), methods)


def says_nothing() -> nn.Module:
    """Its methods, and those of its blocks, do nothing and return nothing."""
    return _overriding(Plain, _says_nothing)(_overriding(Block, _says_nothing))


def refuses() -> nn.Module:
    """Its methods, and those of its blocks, cannot be called."""
    return _overriding(Plain, _refuses)(_overriding(Block, _refuses))


class KeepsStatistics(Block):
    """Its normalisation is never trained: the usual way to say so."""

    def train(self, mode: bool = True) -> nn.Module:
        super().train(mode)
        self.norm.eval()
        return self


def keeps_statistics() -> nn.Module:
    return Plain(KeepsStatistics)


class Fourier(nn.Module):
    """A complex weight beside convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.weight = nn.Parameter(torch.randn(4, SIDE, SIDE // 2 + 1, dtype=torch.complex64))
        self.register_buffer("phase", torch.ones((), dtype=torch.complex64))
        self.last = nn.Conv2d(4, 2, 3)

    def forward(self, image: Tensor) -> Tensor:
        spectrum = torch.fft.rfft2(self.conv(image)) * self.weight * self.phase
        return self.last(torch.fft.irfft2(spectrum, s=(SIDE, SIDE)))


class HalfInside(nn.Module):
    """A part of fixed half precision, and another of fixed double precision."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.half_inside = nn.Conv2d(4, 4, 3, padding=1).bfloat16()
        self.last = nn.Conv2d(4, 2, 3).double()

    def forward(self, image: Tensor) -> Tensor:
        features = self.half_inside(self.first(image).bfloat16())
        return self.last(features.double())


def half_outside() -> nn.Module:
    """Built in half precision as a whole."""
    return Plain().bfloat16()


class MovesItself(nn.Module):
    """Carries a tensor that is no buffer along, as many networks do."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.grid = torch.ones(SIDE - 2)

    def _apply(self, fn: Any, recurse: bool = True) -> nn.Module:
        super()._apply(fn, recurse)
        self.grid = fn(self.grid)
        return self

    def forward(self, image: Tensor) -> Tensor:
        return self.conv(image) * self.grid
