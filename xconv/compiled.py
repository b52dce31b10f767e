"""The sketch and the estimate, each as one operator, for tools that reorder operators.

``torch.compile`` leaves an operator whole: it cannot undo a sketch to save the input instead, and
the probes keep being drawn again rather than carried from the forward pass to the backward.
Selective checkpoints save or repeat an operator as a whole, so sketch and seed come from the same
run.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any, List, Sequence  # noqa: UP035 (torch 2.6 accepts only this form in a schema)

import torch
import torch.utils.checkpoint
from torch import Tensor
from torch.utils._python_dispatch import (
    _disable_current_modes,
    _get_current_dispatch_mode_stack,
)

from xconv import probing as eager
from xconv.geometry import Geometry
from xconv.layout import Layout
from xconv.probing import Probing
from xconv.schemes import SCHEMES
from xconv.spectrum.plan import BlockPlan

_SELECTIVE = tuple(
    getattr(torch.utils.checkpoint, name)
    for name in ("_CachingTorchDispatchMode", "_CachedTorchDispatchMode")
    if hasattr(torch.utils.checkpoint, name)
)


def is_selective() -> bool:
    """Return whether a selective checkpoint is active, which saves only some results."""
    if not torch._C._len_torch_dispatch_stack():
        return False
    return any(isinstance(mode, _SELECTIVE) for mode in _get_current_dispatch_mode_stack())


def unseen() -> AbstractContextManager[Any]:
    """Return a context that hides operators from a selective checkpoint.

    A checkpoint compares the operators of both its runs, and some operators run in only one of
    them.
    """
    return _disable_current_modes() if is_selective() else nullcontext()


def unheard() -> AbstractContextManager[Any]:
    """Return a context in which no mode of torch's functions hears which are called.

    Ours listens during a forward pass for functions that the network calls; each call of a sketch
    would take twice as long.
    """
    return nullcontext() if torch.compiler.is_compiling() else torch._C.DisableTorchFunction()


def keep(
    input: Tensor,
    seed: Tensor,
    probing: Probing,
    layout: Layout,
    weight_shape: torch.Size,
    output_shape: torch.Size,
    plan: BlockPlan | None = None,
) -> tuple[Tensor, ...]:
    """Run ``probing.keep`` as one operator."""
    counts: tuple[int, ...] = ()
    tables: list[Tensor] = []
    if plan is not None:
        counts, tables = plan.counts, [plan.order, plan.probabilities]
    return tuple(
        _sketch(
            input, seed, layout.channels_last, weight_shape, output_shape,
            probing.dial[1], probing.scheme, probing.distribution, probing.shared, counts, tables,
        )
    )  # fmt: skip


def estimate(
    kept: Sequence[Tensor],
    grad_output: Tensor,
    geometry: Geometry,
    probing: Probing,
    layout: Layout,
    weight: Tensor,
    dtype: torch.dtype,
) -> Tensor:
    """Run ``probing.estimate_gradient`` as one operator, whose derivative raises RuntimeError."""
    return _estimate(
        list(kept), grad_output, weight, dtype, layout.shape, layout.channels_last,
        probing.dial[1], probing.scheme, probing.distribution, probing.shared,
        geometry.stride, geometry.padding, geometry.dilation, geometry.groups,
        geometry.transposed, geometry.output_padding, geometry.border, geometry.border_mode,
    )  # fmt: skip


@torch.library.custom_op("xconv::sketch", mutates_args=())
def _sketch(
    input: Tensor,
    seed: Tensor,
    channels_last: bool,
    weight_shape: Sequence[int],
    output_shape: Sequence[int],
    dial: float,
    scheme: str,
    distribution: str,
    shared: bool,
    counts: Sequence[int],
    tables: Sequence[Tensor],
) -> List[Tensor]:  # noqa: UP006
    layout = Layout(input.shape, input.dtype, input.device, channels_last)
    seed, *sketch = eager.keep(
        input, seed, Probing.of_dial(scheme, dial, distribution, shared), layout,
        torch.Size(weight_shape), torch.Size(output_shape), _plan(counts, tables),
    )  # fmt: skip
    return [seed.clone(), *(part.contiguous() for part in sketch)]


@_sketch.register_fake
def _(
    input: Tensor, seed: Tensor, channels_last: bool, weight_shape: Sequence[int],
    output_shape: Sequence[int], dial: float, scheme: str, distribution: str,
    shared: bool, counts: Sequence[int], tables: Sequence[Tensor],
) -> list[Tensor]:  # fmt: skip
    probing, layout = Probing.of_dial(scheme, dial, distribution, shared), Layout.of(input)
    like = SCHEMES[scheme].kept_like(input, layout, probing, _plan(counts, tables))
    return [torch.empty_like(seed), *like]


def _plan(counts: Sequence[int], tables: Sequence[Tensor]) -> BlockPlan | None:
    return BlockPlan(tuple(counts), *tables) if tables else None


@torch.library.custom_op("xconv::estimate", mutates_args=())
def _estimate(
    kept: Sequence[Tensor],
    grad_output: Tensor,
    weight: Tensor,
    dtype: torch.dtype,
    input_shape: Sequence[int],
    channels_last: bool,
    dial: float,
    scheme: str,
    distribution: str,
    shared: bool,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    transposed: bool,
    output_padding: Sequence[int],
    border: Sequence[int],
    border_mode: str,
) -> Tensor:
    geometry = Geometry(
        tuple(stride), tuple(padding), tuple(dilation), groups,
        transposed, tuple(output_padding), tuple(border), border_mode,
    )  # fmt: skip
    layout = Layout(torch.Size(input_shape), weight.dtype, weight.device, channels_last)
    probing = Probing.of_dial(scheme, dial, distribution, shared)
    return eager.estimate_gradient(kept, grad_output, geometry, probing, layout, weight, dtype)


@_estimate.register_fake
def _(
    kept: Sequence[Tensor], grad_output: Tensor, weight: Tensor, dtype: torch.dtype, *_: object
) -> Tensor:
    if weight.is_contiguous():
        return weight.new_empty_strided(weight.shape, weight.stride(), dtype=dtype)
    return torch.empty_like(weight, dtype=dtype)


def refuse_derivative(ctx: Any, gradient: Tensor) -> None:
    """Raise RuntimeError, as the derivative of an estimated weight gradient."""
    raise RuntimeError(
        "an estimated weight gradient has no derivative; for derivatives of the weight gradient "
        "leave this layer exact (probes=0, or skip= of xconv.convert)"
    )


_estimate.register_autograd(refuse_derivative)
