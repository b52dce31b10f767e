"""Simulated kernels that allocate what the real ones do.

torch's fake of an operator returns tensors of the right shape. Some real kernels return them in a
larger storage, or with a workspace of which the fake knows nothing. Found by comparing the storages
of all operators that ``torch.testing`` has samples of, and of all modules of ``torch.nn``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch._subclasses import fake_tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from xconv.wholes import taken_by
from xconv_bench.measurement.recurrent_workspace import workspace_bytes
from xconv_bench.measurement.replaying import Replay

OperatorArguments = tuple[Any, ...]
Repair = Callable[[Any, OperatorArguments], None]
"""Gives the result of a fake, called with these positional arguments, the storages of the real."""

_NO_REDUCTION = 0
_aten = torch.ops.aten


@contextmanager
def simulating(mode: FakeTensorMode) -> Iterator[None]:
    """Let operators inside have shapes and no contents, and allocate what the real ones do."""
    with _without_tracebacks(), mode, _Repaired(), taken_by(Replay(mode, _Repaired)):
        yield


@contextmanager
def _without_tracebacks() -> Iterator[None]:
    """Let torch not log operators that refuse their arguments: the error itself is reported."""

    def refuse(record: logging.LogRecord) -> bool:
        return False

    logger = logging.getLogger(fake_tensor.__name__)
    logger.addFilter(refuse)
    try:
        yield
    finally:
        logger.removeFilter(refuse)


class _Repaired(TorchDispatchMode):
    """Lets storages of fake results grow to what the real kernel would have allocated."""

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        repair = _REPAIRS.get(func)
        if repair is not None:
            repair(result, _positional(func, args, kwargs or {}))
        return result

    @classmethod
    def is_infra_mode(cls) -> bool:
        """Return True: ``torch.compile`` is to do inside what it does outside."""
        return True

    @classmethod
    def ignore_compile_internals(cls) -> bool:
        """Return True, for the same reason."""
        return True


def _positional(func: Any, args: OperatorArguments, kwargs: Mapping[str, Any]) -> OperatorArguments:
    """Return all arguments of an operator in their order, its defaults among them."""
    others = func._schema.arguments[len(args) :]
    return (*args, *(kwargs.get(each.name, each.default_value) for each in others))


def _grow(tensor: Tensor, size: int) -> None:
    storage = tensor.untyped_storage()
    if storage.nbytes() < size:
        storage.resize_(size)


def _reduced_in_place(reduction: int) -> Repair:
    """Return the repair of a loss whose mean or sum is taken in the storage of its elements.

    ``reduction`` is the place of that argument.
    """

    def repair(result: Tensor, args: OperatorArguments) -> None:
        if args[reduction] != _NO_REDUCTION:
            elements = torch.broadcast_shapes(args[0].shape, args[1].shape).numel()
            _grow(result, elements * result.itemsize)

    return repair


def _made_like_input(result: Tensor, args: OperatorArguments) -> None:
    """Repair the result of a kernel whose output is allocated like its input, and shrinks."""
    _grow(result, args[0].numel() * result.itemsize)


def _embedding_bag(result: tuple[Tensor, ...], args: OperatorArguments) -> None:
    """Repair the sizes of bags, which are allocated like the offsets; the last may be no bag."""
    _grow(result[2], args[2].numel() * result[2].itemsize)


def _recurrent(result: tuple[Tensor, ...], args: OperatorArguments) -> None:
    """Repair the workspace of oneDNN for the backward pass, which it alone knows."""
    workspace = result[3]
    if torch.is_grad_enabled():
        _grow(workspace, workspace_bytes(args))


_REPAIRS: dict[Any, Repair] = {
    _aten.mse_loss.default: _reduced_in_place(2),
    _aten.smooth_l1_loss.default: _reduced_in_place(2),
    _aten.soft_margin_loss.default: _reduced_in_place(2),
    _aten.binary_cross_entropy.default: _reduced_in_place(3),
    _aten.col2im.default: _made_like_input,
    _aten.im2col.default: _made_like_input,
    _aten._embedding_bag.default: _embedding_bag,
    _aten.mkldnn_rnn_layer.default: _recurrent,
}
