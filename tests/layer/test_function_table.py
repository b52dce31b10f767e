"""Every spelling of every function that ``convert`` reaches keeps less, and is torch's."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from layer_cases import images
from saved_cases import assert_same_bits, kept_bytes, run
from torch import Tensor, nn

from xconv import convert
from xconv.saved.function_table import OURS

FAMILIES = ["relu", "pool", "act", "dropout", "functions"]

CALLS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": lambda x: F.relu(torch.relu(x.relu())),
    "relu in place": lambda x: torch.relu_(x + 0) + (x + 0).relu_() + F.relu(x + 0, True),
    "max pool": lambda x: F.max_pool2d(torch.max_pool2d(x, 2), kernel_size=2, stride=1),
    "max pool of lines": lambda x: torch.max_pool1d(F.max_pool1d(x.flatten(2), 2), 2),
    "max pool of volumes": lambda x: F.max_pool3d(torch.max_pool3d(x[None], 2, 1), 2, padding=1),
    "average pool": lambda x: F.avg_pool2d(input=x, kernel_size=3, padding=1),
    "average pool of lines": lambda x: torch.avg_pool1d(F.avg_pool1d(x.flatten(2), 2), 2),
    "average pool of volumes": lambda x: F.avg_pool3d(x[None], 2, divisor_override=3),
    "adaptive": lambda x: F.adaptive_max_pool2d(F.adaptive_avg_pool2d(x, (7, None)), 3),
    "adaptive lines": lambda x: F.adaptive_max_pool1d(F.adaptive_avg_pool1d(x.flatten(2), 9), 3),
    "adaptive volumes": lambda x: F.adaptive_max_pool3d(F.adaptive_avg_pool3d(x[None], 3), 2),
    "steps": lambda x: F.hardtanh(F.relu6(F.leaky_relu(F.hardsigmoid(x))), -0.5, 0.5),
    "steps in place": lambda x: F.leaky_relu_(F.hardtanh_(torch.threshold_(x + 0, -1, 0))),
    "shrinking": lambda x: F.softshrink(F.hardshrink(F.threshold(x, 0.1, 0)).hardshrink(0.7), 0.6),
    "dropout": lambda x: F.dropout(torch.dropout(x, 0.2, True), training=True),
    "dropout in place": lambda x: F.dropout(torch.dropout_(x + 0, 0.2, True), inplace=True),
    "dropout of channels": lambda x: F.dropout2d(torch.feature_dropout(x, 0.2, True), 0.1),
    "alpha dropout": lambda x: F.alpha_dropout(torch.alpha_dropout(x, 0.2, True), 0.1, True),
    "of channels": lambda x: F.feature_alpha_dropout(
        torch.feature_dropout(x, 0.2, True), 0.3, True
    ),
}


class Calling(nn.Module):
    def __init__(self, call: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.call = call

    def forward(self, x: Tensor) -> Tensor:
        return self.call(x)


def reached(call: Callable[[Tensor], Tensor]) -> nn.Module:
    return convert(Calling(call), compress=FAMILIES)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_calls_of_every_spelling_are_torchs_and_keep_less(call: Callable[[Tensor], Tensor]) -> None:
    actual = run(reached(call), images())
    for ours, theirs in zip(actual, run(Calling(call), images(), actual[1]), strict=True):
        assert_same_bits(ours, theirs)
    x = images().requires_grad_() + 0
    assert kept_bytes(reached(call), x) < 0.2 * kept_bytes(call, x)


ROUNDING: dict[str, Callable[[Tensor], Tensor]] = {
    name: getattr(F, name)
    for name in ("elu", "celu", "selu", "gelu", "silu", "mish", "hardswish", "softplus",
                 "logsigmoid", "softsign", "sigmoid", "tanh")
} | {
    "elu_": lambda x: F.elu_(x + 0), "celu_": lambda x: F.celu_(x + 0),
    "selu_": lambda x: F.selu_(x + 0), "torch.celu": torch.celu, "torch.selu": torch.selu,
    "torch.sigmoid": torch.sigmoid, "sigmoid_": lambda x: torch.sigmoid_(x + 0),
    ".sigmoid_": lambda x: (x + 0).sigmoid_(), "torch.tanh": torch.tanh,
    "tanh_": lambda x: torch.tanh_(x + 0), ".tanh_": lambda x: (x + 0).tanh_(),
    "silu in place": lambda x: F.silu(x + 0, inplace=True),
    "gelu tanh": lambda x: F.gelu(x, approximate="tanh"),
}  # fmt: skip


@pytest.mark.parametrize("call", ROUNDING.values(), ids=ROUNDING)
def test_functions_that_are_rounded(call: Callable[[Tensor], Tensor]) -> None:
    x = images().requires_grad_() + 0
    assert_same_bits(reached(call)(x), call(x))
    assert kept_bytes(reached(call), x) == x.numel() // 2 + 4
    eight = convert(Calling(call), compress=FAMILIES, act_bits=8)
    assert kept_bytes(eight, x) == x.numel() + 4


def test_a_prelu_of_ones_own() -> None:
    weight = nn.Parameter(torch.full((3,), 0.25))
    for call in (lambda x: F.prelu(x, weight), lambda x: x.prelu(weight)):
        x = images().requires_grad_() + 0
        assert kept_bytes(reached(call), x) < 0.2 * kept_bytes(call, x)


class Seen(torch.overrides.TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.functions: set[Any] = set()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.functions.add(func)
        return func(*args, **(kwargs or {}))


def test_every_function_of_the_table_is_called_above() -> None:
    with Seen() as seen:
        for call in (*CALLS.values(), *ROUNDING.values()):
            call(images())
        F.prelu(images(), torch.ones(1))
        images().prelu(torch.ones(1))
        F.dropout1d(images()[0])
        F.dropout3d(images())
        torch.feature_dropout_(images(), 0.1, True)
        torch.feature_alpha_dropout(images(), 0.1, True)
        torch.threshold(images(), 0.1, 0)
    assert seen.functions >= set(OURS)


def test_indices_of_maxima_are_torchs() -> None:
    model = reached(lambda x: F.max_pool2d(x, 2, return_indices=True))
    for ours, theirs in zip(
        model(images()), F.max_pool2d(images(), 2, return_indices=True), strict=True
    ):
        assert torch.equal(ours, theirs)
