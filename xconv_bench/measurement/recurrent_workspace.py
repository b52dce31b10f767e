"""The workspace that oneDNN keeps of a recurrent layer until its backward pass.

Its size depends on the processor and on how oneDNN divides the work, so the real kernel is asked
with tensors of zeros. Where that would take too long, fewer steps and samples are computed, and the
size follows from theirs: it grows in proportion to the samples, and evenly from step to step.
"""

from __future__ import annotations

from functools import cache
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes

_MOST_WORK = 2**30
"""Multiplications of a call of the real kernel: a fraction of a second."""

_FEWEST_SAMPLES = 32
_TENSORS = 7
"""``mkldnn_rnn_layer`` begins with the input (steps, samples, features), weights and two states."""

Shapes = tuple[tuple[int, ...], ...]


def workspace_bytes(args: tuple[Any, ...]) -> int:
    """Return the bytes of the workspace of ``aten::mkldnn_rnn_layer`` called with ``args``.

    Their tensors may be fake. Exact up to ``_MOST_WORK`` multiplications; beyond, to a percent.
    """
    tensors, settings = args[:_TENSORS], args[_TENSORS:]
    dtype, shapes = tensors[0].dtype, tuple(tuple(tensor.shape) for tensor in tensors)
    hashable = tuple(tuple(value) if isinstance(value, list) else value for value in settings)

    def size(steps: int, samples: int) -> int:
        return _real_size(_resized(shapes, steps, samples), dtype, hashable)

    (steps, samples, _), gates = shapes[0], prod(shapes[1]) + prod(shapes[2])
    fewer_steps, fewer_samples = _affordable(steps, samples, gates)
    found: float = size(fewer_steps, fewer_samples)
    if fewer_steps < steps:
        before = fewer_steps // 2
        rise = (found - size(before, fewer_samples)) / (fewer_steps - before)
        found += rise * (steps - fewer_steps)
    return int(found * samples / fewer_samples)


def _affordable(steps: int, samples: int, gates: int) -> tuple[int, int]:
    """Bound both to what can be computed soon, to no fewer than 2 steps."""
    while samples > _FEWEST_SAMPLES and steps * samples * gates > _MOST_WORK:
        samples = max(samples // 2, _FEWEST_SAMPLES)
    while steps > 2 and steps * samples * gates > _MOST_WORK:
        steps = max(steps // 2, 2)
    return steps, samples


def _resized(shapes: Shapes, steps: int, samples: int) -> Shapes:
    input, *weights = shapes[: _TENSORS - 2]
    states = [(*shape[:-2], samples, shape[-1]) for shape in shapes[_TENSORS - 2 :]]
    return ((steps, samples, input[2]), *weights, *states)


@cache
def _real_size(shapes: Shapes, dtype: torch.dtype, settings: tuple[Any, ...]) -> int:
    # Without gradients there is no workspace.
    with _disable_current_modes(), torch.enable_grad():
        tensors = [torch.zeros(shape, dtype=dtype, device="cpu") for shape in shapes]
        workspace: Tensor = torch.ops.aten.mkldnn_rnn_layer(*tensors, *settings)[3]
        return workspace.untyped_storage().nbytes()
