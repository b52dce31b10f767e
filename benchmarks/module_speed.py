"""Time every compressed module, forward and backward, against torch's own: ``make bench``.

Convolutions have a program of their own, ``benchmarks.layer_speed``. Only the ratios mean
something: seconds differ from machine to machine.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmarks import performance_page
from benchmarks.speed_program import made_by, parsed, parser, record
from benchmarks.timing import compare, settle_heap, smooth_images, step_of
from xconv import convert

IMAGES = ((16, 64, 28), (16, 256, 14), (32, 64, 56))
"""Batch, channels and image size of the modules that take maps."""
ROWS = ((16, 196, 192), (32, 196, 768))
"""Batch, length and features of the modules that take sequences."""
QUICK_SHAPES = 1
"""Number of shapes that a quick run tries."""
SECONDS, QUICK_SECONDS = 1.0, 0.01
"""Seconds for the slower one of a module and ours."""

OF_IMAGES: dict[str, dict[str, Callable[[int], nn.Module]]] = {
    "relu": {"ReLU": lambda _: nn.ReLU()},
    "pool": {
        "MaxPool2d(3, 2)": lambda _: nn.MaxPool2d(3, 2, 1),
        "AvgPool2d(2)": lambda _: nn.AvgPool2d(2),
        "AdaptiveAvgPool2d(7)": lambda _: nn.AdaptiveAvgPool2d(7),
        "AdaptiveMaxPool2d(7)": lambda _: nn.AdaptiveMaxPool2d(7),
    },
    "norm": {
        "BatchNorm2d": lambda channels: nn.BatchNorm2d(channels),
        "GroupNorm(8)": lambda channels: nn.GroupNorm(8, channels),
        "InstanceNorm2d": lambda channels: nn.InstanceNorm2d(channels, affine=True),
    },
    "act": {
        "GELU": lambda _: nn.GELU(),
        "SiLU": lambda _: nn.SiLU(),
        "Hardswish": lambda _: nn.Hardswish(),
        "LeakyReLU": lambda _: nn.LeakyReLU(0.1),
        "ReLU6": lambda _: nn.ReLU6(),
    },
    "dropout": {
        "Dropout(0.1)": lambda _: nn.Dropout(0.1),
        "Dropout2d(0.1)": lambda _: nn.Dropout2d(0.1),
    },
}
OF_ROWS: dict[str, dict[str, Callable[[int], nn.Module]]] = {
    "norm": {"LayerNorm": lambda features: nn.LayerNorm(features)},
    "linear": {"Linear": lambda features: nn.Linear(features, features)},
}
"""Makers of modules, by family and name, from the number of channels or features."""


@dataclass(frozen=True)
class ModuleCell:
    """One row: a module of ours beside torch's."""

    device: str
    family: str
    module: str
    shape: str
    exact_step_seconds: float
    step_seconds: float
    ratio_to_exact: float


def measure(
    family: str, name: str, make: Callable[[int], nn.Module], input: Tensor, seconds: float
) -> ModuleCell:
    """Return the row of one module on one input, whose second dimension or last is its size."""
    words = " × ".join(map(str, input.shape))
    print(f"{name} {words}", file=sys.stderr)
    size = input.shape[1] if input.dim() == 4 else input.shape[-1]
    exact, ours = (nn.Sequential(make(size)).to(input.device) for _ in range(2))
    convert(ours, compress="all", first="compressed")
    grad_output = torch.randn_like(exact(input))
    steps = [step_of(module, input, grad_output) for module in (exact, ours)]
    exact_seconds, (own,) = compare(steps[0], steps[1:], seconds)
    device = input.device.type
    return ModuleCell(device, family, name, words, exact_seconds, own, own / exact_seconds)


def cells(device: str, quick: bool) -> Iterator[list[ModuleCell]]:
    """Yield the rows of one shape after the other."""
    shapes, seconds = (QUICK_SHAPES, QUICK_SECONDS) if quick else (None, SECONDS)
    torch.manual_seed(0)
    for batch, channels, size in IMAGES[:shapes]:
        images = smooth_images((batch, channels, size, size), torch.float32, device)
        yield from _of(OF_IMAGES, images, seconds)
    for shape in ROWS[:shapes]:
        yield from _of(OF_ROWS, torch.randn(shape, device=device, requires_grad=True), seconds)


def _of(
    families: dict[str, dict[str, Callable[[int], nn.Module]]], input: Tensor, seconds: float
) -> Iterator[list[ModuleCell]]:
    for family, modules in families.items():
        for name, make in modules.items():
            yield [measure(family, name, make, input, seconds)]


def main(words: Sequence[str] | None = None) -> None:
    """Measure and write each row at once, then the table of the page."""
    given = parsed(parser(__doc__), words)
    settle_heap()
    record(
        given.folder / f"module_speed_{given.device}.csv",
        ModuleCell,
        cells(given.device, given.quick),
    )
    made = made_by("module_speed", words, given.device)
    performance_page.update(given.folder, given.device, "modules", made)


if __name__ == "__main__":
    main()
