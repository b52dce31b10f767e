"""The loss of networks of which nothing is known, and the words for what is in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from xconv_bench.errors import BenchError
from xconv_bench.objectives.objective import Objective, mean_squared_error
from xconv_bench.objectives.outputs import named_tensors

_SHOWN = 4
_OWN_LOSS = "loss"


@dataclass(frozen=True)
class AutomaticObjective(Objective):
    """For networks of which nothing is known: the loss follows from what they return.

    A network that returns its loss as ``loss``, as those of transformers do, is trained with that
    alone. Else every tensor that needs a gradient is in it, wherever it stands in the output, with
    a term of its own: logits (rows, K), K > 1, cross-entropy with the label modulo K; a single
    number, a loss of the network's own, itself; anything else the mean squared error against zero.
    Rows that are not the samples of the batch get the labels of the first of them, over and over.
    """

    purpose = "automatic"
    classes: int = 2**16

    def target_shape(self, sample_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return () for every input: a label."""
        return ()

    def loss(self, output: Any, target: Tensor) -> Tensor:
        """Return the sum of the terms; BenchError where the output holds no tensor to train on."""
        first, *others = (term(tensor, target) for tensor in trained(output).values())
        return sum(others, start=first)

    def remark(self, output: Any, target: Tensor) -> str:
        """Return what the loss is made of and what is left out.

        Nothing where the output is one tensor with a row for each sample.
        """
        found, taken = named_tensors(output), trained(output)
        kinds: dict[str, list[str]] = {}
        for path, tensor in taken.items():
            kinds.setdefault(_words(tensor, len(target)), []).append(_name(path))
        if list(found) == [""] and found[""].dim() and len(found[""]) == len(target):
            return ""
        terms = " + ".join(f"{kind} of {_listed(names)}" for kind, names in kinds.items())
        left = [
            f"{_name(path)} ({_why_not(tensor)})"
            for path, tensor in found.items()
            if path not in taken and not (_OWN_LOSS in taken and tensor.requires_grad)
        ]
        return f"loss: {terms}" + (f"; not in the loss: {_listed(left)}" if left else "")


def trained(output: Any) -> dict[str, Tensor]:
    """Return the tensors in the loss by path: where gradients are off, all that could need one.

    Raises BenchError where there is none.
    """
    usable = {p: t for p, t in named_tensors(output).items() if _is_continuous(t) and t.numel()}
    if not usable:
        raise BenchError(
            f"the network returned a {type(output).__name__} without a tensor to train on: "
            "expected one of real or complex numbers"
        )
    taken = {path: t for path, t in usable.items() if t.requires_grad} or usable
    own = taken.get(_OWN_LOSS)
    return {_OWN_LOSS: own} if own is not None and _is_loss(own) else taken


def term(tensor: Tensor, target: Tensor) -> Tensor:
    """Return the term of one tensor in the loss; ``target`` holds labels (B,)."""
    if _is_loss(tensor):
        return tensor
    if _are_logits(tensor):
        return F.cross_entropy(tensor, _labels(len(tensor), target) % tensor.shape[1])
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor.resolve_conj())
    # An expanded zero costs nothing, and backward peaks one tensor lower than square()'s.
    return mean_squared_error(tensor, tensor.new_zeros(()).expand_as(tensor))


def _labels(rows: int, target: Tensor) -> Tensor:
    if rows <= len(target):
        return target[:rows] if rows < len(target) else target
    return target.repeat(-(-rows // len(target)))[:rows]


def _is_continuous(tensor: Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()


def _is_loss(tensor: Tensor) -> bool:
    return tensor.dim() == 0 and not tensor.is_complex()


def _are_logits(tensor: Tensor) -> bool:
    return tensor.dim() == 2 and tensor.shape[1] > 1 and not tensor.is_complex()


def _words(tensor: Tensor, samples: int) -> str:
    if _is_loss(tensor):
        return "the value"
    if not _are_logits(tensor):
        return "mean square"
    rows = len(tensor)
    return "cross-entropy" + ("" if rows == samples else f" ({rows} rows, {samples} samples)")


def _why_not(tensor: Tensor) -> str:
    if not _is_continuous(tensor):
        return str(tensor.dtype).removeprefix("torch.")
    return "needs no gradient" if tensor.numel() else "empty"


def _name(path: str) -> str:
    """Return ``output.boxes[2]`` for the path ``boxes.2``."""
    parts = path.split(".") if path else []
    return "output" + "".join(f"[{p}]" if p.isdecimal() else f".{p}" for p in parts)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"
