"""torch's functions that a forward pass may call, and ours that replace them, by family."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from xconv.saved import act_functions as act
from xconv.saved.average_pool import adaptive_average_pool, average_pool
from xconv.saved.drop import alpha_dropout, dropout, feature_alpha_dropout, feature_dropout
from xconv.saved.max_pool import adaptive_max_pool, max_pool
from xconv.saved.prelu import prelu
from xconv.saved.relu import bit_relu

Function = Callable[..., Any]
FunctionTable = dict[Function, Function]

_nn = torch._C._nn


def _in_place(function: Function) -> Function:
    """Return ``function`` for the torch function that overwrites its input."""
    return partial(function, inplace=True)


def _dropped(function: Function) -> Function:
    """Return ``function`` with the arguments of the operator, whose third has another name."""

    def call(input: Tensor, p: float, train: bool) -> Any:
        return function(input, p, train)

    return call


def _features(input: Tensor, p: float, train: bool, inplace: bool = False) -> Tensor:
    if input.dim() in (3, 4, 5):
        return feature_dropout(input.dim() - 2, input, p, train, inplace)
    return (torch.feature_dropout_ if inplace else torch.feature_dropout)(input, p, train)


_RELU: FunctionTable = {
    F.relu: bit_relu,
    torch.relu: bit_relu,
    Tensor.relu: bit_relu,
    torch.relu_: _in_place(bit_relu),
    Tensor.relu_: _in_place(bit_relu),
}
_POOL: FunctionTable = {
    F.max_pool1d: partial(max_pool, 1),
    F.max_pool2d: partial(max_pool, 2),
    F.max_pool3d: partial(max_pool, 3),
    torch.max_pool1d: partial(max_pool, 1),
    torch.max_pool2d: partial(max_pool, 2),
    torch.max_pool3d: partial(max_pool, 3),
    F.adaptive_max_pool1d: partial(adaptive_max_pool, 1),
    F.adaptive_max_pool2d: partial(adaptive_max_pool, 2),
    F.adaptive_max_pool3d: partial(adaptive_max_pool, 3),
    F.avg_pool1d: partial(average_pool, 1),
    F.avg_pool2d: partial(average_pool, 2),
    F.avg_pool3d: partial(average_pool, 3),
    F.adaptive_avg_pool1d: partial(adaptive_average_pool, 1),
    F.adaptive_avg_pool2d: partial(adaptive_average_pool, 2),
    F.adaptive_avg_pool3d: partial(adaptive_average_pool, 3),
}
_STEPS: FunctionTable = {
    F.relu6: act.relu6,
    F.hardtanh: act.hardtanh,
    F.hardtanh_: _in_place(act.hardtanh),
    F.leaky_relu: act.leaky_relu,
    F.leaky_relu_: _in_place(act.leaky_relu),
    F.hardsigmoid: act.hardsigmoid,
    F.threshold: act.threshold,
    torch.threshold: act.threshold,
    torch.threshold_: _in_place(act.threshold),
    F.hardshrink: act.hardshrink,
    Tensor.hardshrink: act.hardshrink,
    F.softshrink: act.softshrink,
}
_RANGES: FunctionTable = {
    F.elu: act.elu,
    F.elu_: _in_place(act.elu),
    F.celu: act.celu,
    torch.celu: act.celu,
    F.celu_: _in_place(act.celu),
    F.selu: act.selu,
    torch.selu: act.selu,
    F.selu_: _in_place(act.selu),
    F.gelu: act.gelu,
    F.silu: act.silu,
    F.mish: act.mish,
    F.hardswish: act.hardswish,
    torch.sigmoid: act.sigmoid,
    Tensor.sigmoid: act.sigmoid,
    torch.sigmoid_: _in_place(act.sigmoid),
    Tensor.sigmoid_: _in_place(act.sigmoid),
    torch.tanh: act.tanh,
    Tensor.tanh: act.tanh,
    torch.tanh_: _in_place(act.tanh),
    Tensor.tanh_: _in_place(act.tanh),
    F.softplus: act.softplus,
    F.logsigmoid: act.log_sigmoid,
    F.softsign: act.softsign,
    F.prelu: prelu,
    Tensor.prelu: prelu,
}
_DROPOUT: FunctionTable = {
    F.dropout: dropout,
    F.dropout1d: partial(feature_dropout, 1),
    F.dropout2d: partial(feature_dropout, 2),
    F.dropout3d: partial(feature_dropout, 3),
    F.alpha_dropout: alpha_dropout,
    F.feature_alpha_dropout: feature_alpha_dropout,
    torch.dropout: _dropped(dropout),
    torch.dropout_: _dropped(_in_place(dropout)),
    torch.alpha_dropout: _dropped(alpha_dropout),
    torch.feature_alpha_dropout: _dropped(feature_alpha_dropout),
    torch.feature_dropout: _features,
    torch.feature_dropout_: _in_place(_features),
}
_TABLES: dict[str, list[FunctionTable]] = {
    "relu": [_RELU],
    "pool": [_POOL],
    "act": [_STEPS, _RANGES],
    "dropout": [_DROPOUT],
}
REACHED = tuple(_TABLES)
"""Families that have functions."""

OURS = {f: ours for tables in _TABLES.values() for table in tables for f, ours in table.items()}
"""Our function for each of torch's."""

FAMILY = {f: family for family, tables in _TABLES.items() for table in tables for f in table}
"""Family of each of torch's functions."""

ROUNDED = frozenset(_RANGES)
"""Functions whose slopes are rounded in training, and that take ``bits``."""
