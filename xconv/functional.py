"""Convolutions as functions, in the style of ``torch.nn.functional``, with estimated gradients."""

import torch
from torch import Tensor

from xconv import autocast
from xconv.choices import suggest
from xconv.differentiation import TRANSFORMED, is_recording, is_transformed, may_run_again
from xconv.estimator import SketchedConvolution
from xconv.geometry import Geometry, Sizes, per_dimension, resolve_padding
from xconv.probing import Probing
from xconv.random import draw_seed, takes_seed
from xconv.saved.relu import bit_relu
from xconv.schemes.scheme import NO_SMALLER
from xconv.state import State

__all__ = ["bit_relu", "conv", "conv_transpose"]

_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


def conv(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
    *,
    padding_mode: str = "zeros",
    probes: int | None = None,
    scheme: str = "",
    distribution: str = "rademacher",
    bits: float | None = None,
    keep: float | None = None,
    shared: bool = False,
) -> Tensor:
    """Convolve ``input`` in 1, 2 or 3 dimensions, and keep a stand-in of it for the backward pass.

    This is ``torch.nn.functional.conv1d``, ``conv2d`` or ``conv3d`` with another weight gradient.
    Outputs, input gradients and bias gradients are exact. The weight gradient, linear in the input,
    is estimated without bias from a random stand-in of the input (arXiv 2106.06998, section 3).

    Args:
        input: (batch, in_channels, *pixels) or (in_channels, *pixels), any floating dtype.
        weight: (out_channels, in_channels / groups, *kernel); its dimensions choose 1d, 2d or 3d.
        bias: (out_channels), or None.
        stride: step of the kernel, one number or one for each dimension.
        padding: pixels added on both sides, one number or one for each dimension; ``"same"`` or
            ``"valid"``.
        dilation: distance of the kernel's elements, one number or one for each dimension.
        groups: number of groups of channels.
        padding_mode: ``"zeros"``, ``"reflect"``, ``"replicate"`` or ``"circular"``.
        probes: see ``xconv.XConv1d``, as for all arguments that follow.
        scheme: name of the scheme.
        distribution: distribution of the probes.
        bits: bits per element of the input.
        keep: share of the pixels.
        shared: use the same probes for all images of a batch.

    Returns:
        (batch, out_channels, *pixels), or without the batch, exactly as torch returns it.

    Raises:
        ValueError: for a ``weight`` of other than 3, 4 or 5 dimensions, an unknown padding mode,
            and values that ``xconv.XConv1d`` refuses.
        TypeError: for values that ``xconv.XConv1d`` refuses.
        RuntimeError: as torch, for shapes that do not fit and for ``padding="same"`` with a stride.

    >>> input, weight = torch.zeros(2, 3, 32, 32), torch.zeros(8, 3, 3, 3, requires_grad=True)
    >>> conv(input, weight, padding=1, probes=8).shape
    torch.Size([2, 8, 32, 32])
    """
    size = _dimensions(weight)
    if padding_mode not in _PADDING_MODES:
        raise ValueError(
            f"unknown padding_mode {padding_mode!r}; {suggest(padding_mode, _PADDING_MODES)}"
        )
    stride, dilation = per_dimension(stride, size), per_dimension(dilation, size)
    if padding == "same" and any(step != 1 for step in stride):
        raise RuntimeError(f"padding='same' needs a stride of 1; got {stride}")
    word = padding if isinstance(padding, str) else per_dimension(padding, size)
    amount, border, border_mode = resolve_padding(
        word, padding_mode, tuple(weight.shape[2:]), dilation
    )
    geometry = Geometry(stride, amount, dilation, groups, border=border, border_mode=border_mode)
    state = State(Probing(probes, scheme, distribution, bits, keep, shared))
    return convolution(input, weight, bias, geometry, state)


def conv_transpose(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
    *,
    probes: int | None = None,
    scheme: str = "",
    distribution: str = "rademacher",
    bits: float | None = None,
    keep: float | None = None,
    shared: bool = False,
) -> Tensor:
    """Apply a transposed convolution to ``input``, and keep a stand-in of it for the backward pass.

    This is ``torch.nn.functional.conv_transpose1d``, ``2d`` or ``3d`` with another weight gradient,
    estimated as that of ``conv``. All other gradients are exact.

    Args:
        input: (batch, in_channels, *pixels) or (in_channels, *pixels), any floating dtype.
        weight: (in_channels, out_channels / groups, *kernel); its dimensions choose 1d, 2d or 3d.
        bias: (out_channels), or None.
        stride: step of the kernel over the output, one number or one for each dimension.
        padding: pixels cut off on both sides of the output, one number or one for each dimension.
        output_padding: pixels added on one side of the output, one number or one for each
            dimension.
        groups: number of groups of channels.
        dilation: distance of the kernel's elements, one number or one for each dimension.
        probes: see ``xconv.XConv1d``, as for all arguments that follow.
        scheme: name of the scheme.
        distribution: distribution of the probes.
        bits: bits per element of the input.
        keep: share of the pixels.
        shared: use the same probes for all images of a batch.

    Returns:
        (batch, out_channels, *pixels), or without the batch, exactly as torch returns it.

    Raises:
        ValueError: for a ``weight`` of other than 3, 4 or 5 dimensions, and values that
            ``xconv.XConv1d`` refuses.
        TypeError: for values that ``xconv.XConv1d`` refuses.
        RuntimeError: as torch, for shapes that do not fit.

    >>> input, weight = torch.zeros(2, 8, 16, 16), torch.zeros(8, 3, 2, 2, requires_grad=True)
    >>> conv_transpose(input, weight, stride=2, probes=8).shape
    torch.Size([2, 3, 32, 32])
    """
    size = _dimensions(weight)
    geometry = Geometry(
        per_dimension(stride, size),
        per_dimension(padding, size),
        per_dimension(dilation, size),
        groups,
        transposed=True,
        output_padding=per_dimension(output_padding, size),
    )
    state = State(Probing(probes, scheme, distribution, bits, keep, shared))
    return convolution(input, weight, bias, geometry, state)


def convolution(
    input: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry, state: State
) -> Tensor:
    """Apply a convolution of any geometry, and keep of ``input`` what ``state`` says.

    ``input`` is batched or not. The reason for an exact gradient, or an empty text, is written to
    ``state.falls_back``. Autograd keeps the sketch, the seed and the weight if the weight needs a
    gradient, and the weight alone if not. It keeps what torch keeps if the sketch would be no
    smaller, or if ``torch.func`` or forward-mode derivatives need it.
    """
    probing = state.probing
    is_image = input.dim() in (geometry.dimensions + 1, geometry.dimensions + 2)
    if probing is None or probing.is_exact or not is_image or weight.is_complex():
        return geometry.convolve(input, weight, bias)
    if input.dim() == geometry.dimensions + 1:
        return convolution(input.unsqueeze(0), weight, bias, geometry, state).squeeze(0)
    recording = is_recording()
    takes = takes_seed(weight) and (recording or may_run_again())
    reason = state.why_exact(input) if takes else NO_SMALLER
    saves = takes and not reason
    seed = draw_seed() if saves else None
    if recording and weight.requires_grad:
        state.falls_back = reason
    elif torch.is_grad_enabled() and is_transformed():
        state.falls_back = TRANSFORMED
    followed = recording and any(t is not None and t.requires_grad for t in (input, weight, bias))
    if not followed or (weight.requires_grad and not saves):
        return geometry.convolve(input, weight, bias)
    input = autocast.cast(input)
    plan = observer = None
    if seed is not None and state.member is not None and weight.requires_grad:
        plan = state.member.plan_for(input, seed)
        if isinstance(plan, int | float):
            probing, plan = probing.with_dial(plan), None
        observer = state.member if state.member.observes(input) else None
    output: Tensor = SketchedConvolution.apply(
        input,
        weight,
        bias,
        seed if weight.requires_grad else None,
        geometry,
        probing,
        plan,
        observer,
    )
    return output


def _dimensions(weight: Tensor) -> int:
    """Return the number of spatial dimensions of ``weight`` (channels, channels, *kernel)."""
    if not 3 <= weight.dim() <= 5:
        raise ValueError(
            "weight must have 3, 4 or 5 dimensions, for images of 1, 2 or 3; "
            f"got the shape {tuple(weight.shape)}"
        )
    return weight.dim() - 2
