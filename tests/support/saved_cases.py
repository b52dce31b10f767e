"""Modules of torch's that have a counterpart in ``xconv.saved``, and inputs for them."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, nan, prod
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from xconv import convert

AWKWARD = [nan, -nan, inf, -inf, 0.0, -0.0, 1.0, -1.0, 1e-45, -1e-45, 5e-8, -5e-8, 65504.0]
FLOATS = [torch.float64, torch.float32, torch.float16, torch.bfloat16]


@dataclass(frozen=True)
class Saved:
    """A module, the shape of its input, and the bytes that ours keeps for an input and output."""

    build: Callable[[], nn.Module]
    family: str
    kept: Callable[[int, tuple[int, ...]], int]
    """From the elements of the input and the shape of the output."""
    shape: tuple[int, ...] = (2, 3, 9, 7)
    is_exact: bool = True

    def pair(self, **kwargs: Any) -> tuple[nn.Module, nn.Module]:
        """torch's module and ours."""
        ours = convert(nn.Sequential(self.build()), compress=[self.family], **kwargs)[0]
        return self.build(), ours

    def input(self, **kwargs: Any) -> Tensor:
        """Always the same numbers, with ties among them."""
        generator = torch.Generator().manual_seed(1)
        numbers = torch.randn(self.shape, generator=generator).mul_(8).round_().div_(4)
        return numbers.to(**kwargs)


def packed(count: int, bits: int) -> int:
    return -(-count // 8) * bits


def of_outputs(bits: int) -> Callable[[int, tuple[int, ...]], int]:
    return lambda elements, output: packed(prod(output), bits)


def bit(elements: int, output: tuple[int, ...]) -> int:
    return packed(elements, 1)


def nothing(elements: int, output: tuple[int, ...]) -> int:
    return 0


def slopes(elements: int, output: tuple[int, ...]) -> int:
    """Four bits each, and a flag."""
    return packed(elements, 4) + 4


def of_channels(elements: int, output: tuple[int, ...]) -> int:
    return packed(output[0] * output[1], 1)


LINE, IMAGE, VOLUME = (2, 3, 23), (2, 3, 9, 7), (2, 3, 5, 6, 7)
POOLS: dict[str, Saved] = {
    "MaxPool1d": Saved(lambda: nn.MaxPool1d(3, 2, 1), "pool", of_outputs(2), LINE),
    "MaxPool2d": Saved(lambda: nn.MaxPool2d(3, 2, 1), "pool", of_outputs(4)),
    "MaxPool2d of 2": Saved(lambda: nn.MaxPool2d(2), "pool", of_outputs(2)),
    "MaxPool2d dilated": Saved(
        lambda: nn.MaxPool2d((3, 2), (1, 2), 1, (2, 1), ceil_mode=True), "pool", of_outputs(3)
    ),
    "MaxPool3d": Saved(lambda: nn.MaxPool3d(3, 2, 1), "pool", of_outputs(5), VOLUME),
    "AdaptiveMaxPool1d": Saved(lambda: nn.AdaptiveMaxPool1d(4), "pool", of_outputs(3), LINE),
    "AdaptiveMaxPool2d": Saved(lambda: nn.AdaptiveMaxPool2d((3, 4)), "pool", of_outputs(4)),
    "AdaptiveMaxPool3d": Saved(lambda: nn.AdaptiveMaxPool3d(2), "pool", of_outputs(6), VOLUME),
    "AvgPool1d": Saved(lambda: nn.AvgPool1d(3, 2, 1), "pool", nothing, LINE),
    "AvgPool2d": Saved(lambda: nn.AvgPool2d(3, 1, 1, divisor_override=5), "pool", nothing),
    "AvgPool3d": Saved(lambda: nn.AvgPool3d(2, ceil_mode=True), "pool", nothing, VOLUME),
    "AdaptiveAvgPool1d": Saved(lambda: nn.AdaptiveAvgPool1d(4), "pool", nothing, LINE),
    "AdaptiveAvgPool2d": Saved(lambda: nn.AdaptiveAvgPool2d((3, 4)), "pool", nothing),
    "AdaptiveAvgPool3d": Saved(lambda: nn.AdaptiveAvgPool3d(2), "pool", nothing, VOLUME),
    "to one pixel": Saved(lambda: nn.AdaptiveAvgPool2d(1), "pool", nothing),
}
STEPS: dict[str, Saved] = {
    name: Saved(build, "act", bit)
    for name, build in {
        "ReLU6": nn.ReLU6,
        "Hardtanh": lambda: nn.Hardtanh(-0.5, 1.25),
        "LeakyReLU": lambda: nn.LeakyReLU(0.3),
        "Hardsigmoid": nn.Hardsigmoid,
        "Threshold": lambda: nn.Threshold(0.5, -1.0),
        "Hardshrink": nn.Hardshrink,
        "Softshrink": nn.Softshrink,
    }.items()
}
RANGES: dict[str, Saved] = {
    name: Saved(build, "act", slopes, is_exact=False)
    for name, build in {
        "ELU": lambda: nn.ELU(0.7),
        "ELU below": lambda: nn.ELU(-0.3),
        "CELU": lambda: nn.CELU(2.0),
        "SELU": nn.SELU,
        "GELU": nn.GELU,
        "GELU tanh": lambda: nn.GELU("tanh"),
        "SiLU": nn.SiLU,
        "Mish": nn.Mish,
        "Hardswish": nn.Hardswish,
        "Sigmoid": nn.Sigmoid,
        "Tanh": nn.Tanh,
        "Softplus": lambda: nn.Softplus(2.0, 3.0),
        "LogSigmoid": nn.LogSigmoid,
        "Softsign": nn.Softsign,
    }.items()
}
DROPOUTS: dict[str, Saved] = {
    "Dropout": Saved(lambda: nn.Dropout(0.3), "dropout", bit),
    "Dropout1d": Saved(lambda: nn.Dropout1d(0.3), "dropout", of_channels, LINE),
    "Dropout2d": Saved(lambda: nn.Dropout2d(0.3), "dropout", of_channels),
    "Dropout3d": Saved(lambda: nn.Dropout3d(0.3), "dropout", of_channels, VOLUME),
    "AlphaDropout": Saved(lambda: nn.AlphaDropout(0.3), "dropout", bit),
    "FeatureAlphaDropout": Saved(lambda: nn.FeatureAlphaDropout(0.3), "dropout", of_channels),
}
RELU = {"ReLU": Saved(nn.ReLU, "relu", bit)}
EXACT = RELU | POOLS | STEPS | DROPOUTS
EVERY = EXACT | RANGES
every_exact = pytest.mark.parametrize("case", EXACT.values(), ids=EXACT)
every_range = pytest.mark.parametrize("case", RANGES.values(), ids=RANGES)
every_case = pytest.mark.parametrize("case", EVERY.values(), ids=EVERY)
every_float = pytest.mark.parametrize("dtype", FLOATS, ids=str)


def in_bits(tensor: Tensor) -> Tensor:
    """Whole numbers that differ wherever bits do: -0.0 is not 0.0.

    NaN is NaN: in bfloat16 torch itself changes which one, and only where it computes in vectors.
    """
    words = {2: torch.int16, 4: torch.int32, 8: torch.int64}
    one_nan = tensor.detach().masked_fill(tensor.isnan(), nan)
    return one_nan.contiguous().view(words[tensor.element_size()])


def assert_same_bits(ours: Tensor, theirs: Tensor) -> None:
    assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
    assert torch.equal(in_bits(ours), in_bits(theirs))


def awkward_gradient(output: Tensor) -> Tensor:
    """Random numbers, among them some that times zero would not be zero."""
    gradient = torch.randn(output.shape, dtype=output.dtype)
    flat = gradient.view(-1)
    for i, value in enumerate((nan, inf, -inf, -0.0)):
        flat[i::11] = value
    return gradient


def run(
    layer: Callable[[Tensor], Tensor],
    input: Tensor,
    gradient: Tensor | None = None,
    make: Callable[[Tensor], Tensor] = awkward_gradient,
) -> list[Tensor]:
    """Output, output gradient and input gradient of ``layer`` after an operation that keeps
    nothing, its random numbers always the same."""
    leaf = input.clone().requires_grad_()
    torch.manual_seed(0)
    output = layer(leaf + 0)
    gradient = make(output) if gradient is None else gradient
    output.backward(gradient)
    assert leaf.grad is not None
    return [output, gradient, leaf.grad]


def kept_bytes(layer: Callable[..., Any], *inputs: Tensor) -> int:
    """Bytes of the distinct storages that a call saves."""
    saved: list[Tensor] = []
    with saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):  # type: ignore[func-returns-value]
        layer(*inputs)
    sizes = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in saved}
    return sum(sizes.values())
