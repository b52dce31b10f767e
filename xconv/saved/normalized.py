"""The autograd functions behind every normalisation: exact outputs, estimated gradients.

With the statistics of the input, the gradients of input and γ are estimated from a stand-in of the
normalised input. With given statistics, as in evaluation, the input gradient is exact and needs
none; the stand-in is then kept for γ alone.
"""

from collections.abc import Sequence
from typing import Any, List  # noqa: UP035 (torch 2.6 accepts only this form in a schema)

import torch
from torch import Tensor

from xconv.differentiation import needed, refuse_batched
from xconv.layout import Layout
from xconv.saved.maps import Exchange, NormalizedMaps
from xconv.saved.rows import NormalizedRows
from xconv.saved.rules import Rule
from xconv.saved.stand_in import StandIn, wide
from xconv.watching import is_watched

Way = NormalizedMaps | NormalizedRows


class Normalization(torch.autograd.Function):
    """A normalisation by the statistics of its input.

    Without a ``seed`` nothing is kept, and neither input nor weight get a gradient.
    """

    @staticmethod
    def forward(
        ctx: Any,
        input: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        seed: Tensor | None,
        rule: Rule,
        bits: int,
    ) -> Tensor:
        """Normalise ``input``, of any shape that ``rule`` takes; the output is torch's."""
        made = rule.run(input, weight, bias, (running_mean, running_var))
        ctx.way, ctx.layout, ctx.bits = rule.way(input.shape), Layout.of(input), bits
        ctx.exchange, ctx.shape = made.exchange, None if bias is None else bias.shape
        kept: list[Tensor] = []
        if seed is not None:
            kept = [made.rstd, *_keep(input, made.mean, made.rstd, seed, ctx.way, bits)]
        ctx.save_for_backward(weight, *kept)
        return made.output

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of input, γ and β.

        Estimated ones raise RuntimeError when they are differentiated; that of β is differentiable.
        """
        weight, *kept = ctx.saved_tensors
        needs_input, needs_weight, needs_bias = needed(ctx, 3)
        grad_input = grad_weight = grad_bias = None
        if needs_input or needs_weight:
            rstd, *stand_in = kept
            grad_input, grad_weight, grad_bias = _estimate(
                stand_in, grad_output, weight, rstd, ctx.way, ctx.layout, ctx.bits, needs_input,
                ctx.exchange,
            )  # fmt: skip
        if not needs_weight:
            grad_weight = None
        if not needs_bias:
            grad_bias = None
        elif grad_bias is None or torch.is_grad_enabled():
            grad_bias = _bias_gradient(grad_output, ctx.way, ctx.shape)
        return grad_input, grad_weight, grad_bias, None, None, None, None, None


class FixedNormalization(torch.autograd.Function):
    """A normalisation of maps by given statistics.

    This is ``torch.nn.functional.batch_norm`` in evaluation, with ``instance_norm`` as a special
    case.
    """

    @staticmethod
    def forward(
        ctx: Any,
        input: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        running_mean: Tensor,
        running_var: Tensor,
        seed: Tensor | None,
        eps: float,
        bits: int,
    ) -> Tensor:
        """Normalise ``input`` (batch, channels, *pixels); the output is torch's."""
        output: Tensor = torch.batch_norm(
            input, weight, bias, running_mean, running_var, False, 0.0, eps,
            bool(torch.backends.cudnn.enabled),
        )  # fmt: skip
        ctx.way, ctx.layout = NormalizedMaps(input.shape[1], across_batch=True), Layout.of(input)
        ctx.eps, ctx.bits, ctx.shape = eps, bits, running_mean.shape
        kept: list[Tensor] = []
        if seed is not None:
            rstd = (running_var + eps).rsqrt_()
            kept = _keep(input, running_mean, rstd, seed, ctx.way, bits)
        ctx.save_for_backward(weight, running_var, *kept)
        return output

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        """Return gradients, built of differentiable operations except for that of γ."""
        weight, running_var, *kept = ctx.saved_tensors
        needs_input, needs_weight, needs_bias = needed(ctx, 3)
        grad_input = grad_weight = grad_bias = None
        rstd = (running_var + ctx.eps).rsqrt()
        if needs_input:
            scale = rstd if weight is None else weight * rstd
            lines = (-1, *(1 for _ in ctx.layout.shape[2:]))
            grad_input = (grad_output * scale.view(lines)).to(ctx.layout.dtype)
        if needs_weight:
            _, grad_weight, grad_bias = _estimate(
                kept, grad_output, weight, rstd, ctx.way, ctx.layout, ctx.bits, False, None
            )
        if not needs_bias:
            grad_bias = None
        elif grad_bias is None or torch.is_grad_enabled():
            grad_bias = _bias_gradient(grad_output, ctx.way, ctx.shape)
        return grad_input, grad_weight, grad_bias, None, None, None, None, None


def _bias_gradient(grad_output: Tensor, way: Way, shape: torch.Size) -> Tensor:
    """Return the gradient of β, in ``shape``."""
    dtype = wide(grad_output.dtype)
    if isinstance(way, NormalizedRows):
        return grad_output.reshape(-1, way.columns).sum(0, dtype=dtype).view(shape)
    return grad_output.sum((0, *range(2, grad_output.dim())), dtype=dtype)


def _keep(
    input: Tensor, mean: Tensor | None, rstd: Tensor, seed: Tensor, way: Way, bits: int
) -> list[Tensor]:
    """Return seed, packed numbers and bounds of the normalised ``input``."""
    if is_watched():
        return keep_normalized(input, mean, rstd, seed, bits, _words(way))
    kept = way.keep(input, mean, rstd, seed, bits)
    return [kept.seed, kept.packed, kept.bounds]


def _estimate(
    kept: Sequence[Tensor],
    grad_output: Tensor,
    weight: Tensor | None,
    rstd: Tensor,
    way: Way,
    layout: Layout,
    bits: int,
    needs_input: bool,
    exchange: Exchange | None,
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Return the gradients of input, γ and β, the last two in the shape and dtype of γ.

    Without a γ, its gradient is None, and that of β is in its own shape and dtype.
    """
    refuse_batched(grad_output)
    if exchange is None and (is_watched() or torch.is_grad_enabled()):
        found = normalized_gradients(
            list(kept), grad_output, weight, rstd, layout.shape, layout.dtype, layout.channels_last,
            bits, _words(way), needs_input,
        )  # fmt: skip
        grad_input, grad_weight, grad_bias = found if needs_input else [None, *found]
    else:
        grad_input, grad_weight, grad_bias = _gradients(
            kept, grad_output, weight, rstd, way, layout, bits, needs_input, exchange
        )
    if weight is None:
        return grad_input, None, None
    return grad_input, *(g.view(weight.shape).to(weight.dtype) for g in (grad_weight, grad_bias))


def _gradients(
    kept: Sequence[Tensor],
    grad_output: Tensor,
    weight: Tensor | None,
    rstd: Tensor,
    way: Way,
    layout: Layout,
    bits: int,
    needs_input: bool,
    exchange: Exchange | None = None,
) -> tuple[Tensor | None, Tensor, Tensor]:
    seed, packed, bounds = kept
    stand_in = StandIn.of(packed, bounds, seed, bits, way.sizes(layout))
    return way.gradients(stand_in, grad_output, weight, rstd, layout, needs_input, exchange)


@torch.library.custom_op("xconv::keep_normalized", mutates_args=())
def keep_normalized(
    input: Tensor,
    mean: Tensor | None,
    rstd: Tensor,
    seed: Tensor,
    bits: int,
    way: Sequence[int],
) -> List[Tensor]:  # noqa: UP006
    """Return seed, packed numbers and bounds, as one operator that a compiler leaves whole."""
    kept = _way(way).keep(input, mean, rstd, seed, bits)
    return [kept.seed.clone(), kept.packed, kept.bounds]


@keep_normalized.register_fake
def _(
    input: Tensor,
    mean: Tensor | None,
    rstd: Tensor,
    seed: Tensor,
    bits: int,
    way: Sequence[int],
) -> List[Tensor]:  # noqa: UP006
    kept = StandIn.empty(_way(way).sizes(_whole(Layout.of(input))), bits, seed, input)
    return [torch.empty_like(seed), kept.packed, kept.bounds]


@torch.library.custom_op("xconv::normalized_gradients", mutates_args=())
def normalized_gradients(
    kept: Sequence[Tensor],
    grad_output: Tensor,
    weight: Tensor | None,
    rstd: Tensor,
    shape: Sequence[int],
    dtype: torch.dtype,
    channels_last: bool,
    bits: int,
    way: Sequence[int],
    needs_input: bool,
) -> List[Tensor]:  # noqa: UP006
    """Return the gradients of γ and β, preceded by that of the input if needed.

    This is one operator, whose derivative raises RuntimeError.
    """
    layout = Layout(torch.Size(shape), dtype, grad_output.device, channels_last)
    found = _gradients(kept, grad_output, weight, rstd, _way(way), layout, bits, needs_input)
    return [each for each in found if each is not None]


@normalized_gradients.register_fake
def _(
    kept: Sequence[Tensor],
    grad_output: Tensor,
    weight: Tensor | None,
    rstd: Tensor,
    shape: Sequence[int],
    dtype: torch.dtype,
    channels_last: bool,
    bits: int,
    way: Sequence[int],
    needs_input: bool,
) -> List[Tensor]:  # noqa: UP006
    layout = Layout(torch.Size(shape), dtype, grad_output.device, channels_last)
    ours = _way(way)
    length = ours.columns if isinstance(ours, NormalizedRows) else shape[1]
    sums = [grad_output.new_empty(length, dtype=wide(dtype)) for _ in range(2)]
    return [*([ours.empty(layout)] if needs_input else []), *sums]


def _refuse(ctx: Any, gradients: Any) -> None:
    raise RuntimeError(
        "an estimated gradient of a normalisation has no derivative; for derivatives of gradients "
        "leave this layer exact (skip= of xconv.convert)"
    )


normalized_gradients.register_autograd(_refuse)


def _words(way: Way) -> list[int]:
    """Return ``way`` as the list of integers that an operator takes."""
    if isinstance(way, NormalizedRows):
        return [way.columns, int(way.is_centred)]
    return [way.groups, int(way.across_batch), 0]


def _way(words: Sequence[int]) -> Way:
    first, second, *is_maps = words
    return NormalizedMaps(first, bool(second)) if is_maps else NormalizedRows(first, bool(second))


def _whole(layout: Layout) -> Layout:
    """Return ``layout`` with sizes that are numbers, where a compiler had symbols."""
    shape = torch.Size(int(n) for n in layout.shape)
    return Layout(shape, layout.dtype, layout.device, layout.channels_last)
