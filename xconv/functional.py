"""Convolutions as functions, the way ``torch.nn.functional`` has them, with ``probes``."""

import torch
from torch import Tensor

from xconv import autocast
from xconv.differentiation import is_recording, is_transformed, may_run_again
from xconv.estimator import SketchedConvolution
from xconv.geometry import Geometry, Sizes, per_dimension, resolve_padding
from xconv.probing import Probing
from xconv.random import draw_seed, takes_seed
from xconv.saved.relu import bit_relu
from xconv.schemes.scheme import NO_SMALLER
from xconv.state import State

__all__ = ["bit_relu", "conv", "conv_transpose"]

TRANSFORMED = "torch.func and forward-mode derivatives: exact gradient"
"""Why a call falls back to keeping its input, one of the reasons."""

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
    """``torch.nn.functional.conv1d``, ``conv2d`` or ``conv3d``, whichever ``weight`` is made for.

    Shapes, dtypes and errors are torch's. Forward, input gradient and bias gradient are exact; the
    weight gradient is estimated from ``probes`` probes by ``scheme`` (arXiv 2106.06998, section
    3), unless the sketch would not be smaller than the input or ``probes`` is 0. ``shared`` is the
    published form of ``"independent"``, as ``xconv.convert`` says.
    """
    size = _dimensions(weight)
    if padding_mode not in _PADDING_MODES:
        raise ValueError(
            f"unknown padding_mode {padding_mode!r}; choose from {', '.join(_PADDING_MODES)}"
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
    """``torch.nn.functional.conv_transpose1d``, ``2d`` or ``3d``, as ``conv`` above."""
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
    """A convolution of any geometry, batched (batch, channels, *pixels) or not, probed as ``state``
    says, which is told whether it falls back to the exact gradient.

    What autograd keeps: the sketch, the seed and the weight where the weight needs a gradient;
    the weight alone where it needs none; what torch keeps where the sketch would be no smaller,
    and where torch.func or forward-mode derivatives need it.
    """
    probing = state.probing
    is_image = input.dim() in (geometry.dimensions + 1, geometry.dimensions + 2)
    if probing is None or probing.is_exact or not is_image or weight.is_complex():
        return geometry.convolve(input, weight, bias)
    if input.dim() == geometry.dimensions + 1:
        return convolution(input.unsqueeze(0), weight, bias, geometry, state).squeeze(0)
    recording = is_recording()
    takes = takes_seed(weight) and (recording or may_run_again())
    reason = why_exact(input, state) if takes else NO_SMALLER
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


def why_exact(input: Tensor, state: State) -> str:
    """Return why ``input`` is kept as it is; empty where it is not."""
    if state.is_first and not input.requires_grad:
        if torch.compiler.is_compiling():  # where sizes may be symbols
            return "its input is the batch, which is held anyway: exact gradient"
        return f"its input is the batch, {input.nbytes} bytes that are held anyway: exact gradient"
    return "" if state.probing is None else state.probing.why_exact(input)


def _dimensions(weight: Tensor) -> int:
    """Of the images that ``weight`` (channels, channels, *kernel) convolves."""
    if not 3 <= weight.dim() <= 5:
        raise ValueError(
            "weight must have 3, 4 or 5 dimensions, for images of 1, 2 or 3; "
            f"got the shape {tuple(weight.shape)}"
        )
    return weight.dim() - 2
