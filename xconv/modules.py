"""The layers: subclasses of ``torch.nn``'s convolutions that differ in their weight gradient only.

Same parameters, same ``state_dict`` keys, same initialisation. ``probes=0`` is the exact layer.
"""

from typing import Any

import torch
from torch import Tensor, fx, nn

from xconv.differentiation import is_traced, may_run_again
from xconv.functional import convolution
from xconv.geometry import Geometry, Sizes, per_dimension, resolve_padding
from xconv.probing import Probing
from xconv.quantization import PassedOver
from xconv.scripting import exactly
from xconv.state import State, new_state, set_state, state_of
from xconv.subclasses import of_any_class
from xconv.symbolic import as_leaf


class Probed(PassedOver):
    """What the probed layers add to torch's: one attribute, a ``State``, and nothing that a class
    derived from torch's could have named alike."""

    def extra_repr(self: Any) -> str:
        """torch's, then how the weight gradient is found."""
        words = [super().extra_repr()]  # type: ignore[misc]
        state = state_of(self)
        if state is not None and state.probing is not None:
            probing = state.probing
            words += ["{}={:g}".format(*probing.dial), f"scheme={probing.scheme}"]
            if probing.distribution != "rademacher":
                words.append(f"distribution={probing.distribution}")
            if probing.shared:
                words.append("shared=True")
            if state.falls_back:
                words.append("falls back to the exact gradient")
        return ", ".join(words)


def set_probing(
    layer: nn.Module,
    probes: int | None = None,
    scheme: str = "",
    distribution: str = "rademacher",
    bits: float | None = None,
    keep: float | None = None,
    shared: bool = False,
) -> None:
    """Probe ``layer``, one of ours, with these from its next call on.

    Raises ValueError or TypeError for values that ``XConv1d`` refuses, TypeError for a layer that
    is not one of ours.
    """
    probing = Probing(probes, scheme, distribution, bits, keep, shared)
    if not isinstance(layer, Probed):
        raise TypeError(f"expected a probed layer, as xconv.convert makes them; got {layer!r}")
    state = state_of(layer)
    set_state(layer, new_state(probing, state.mark if state else ""))


class _Convolution(Probed):
    _xconv_exact: Any

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: str | Sizes = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
        *,
        probes: int | None = None,
        scheme: str = "",
        distribution: str = "rademacher",
        bits: float | None = None,
        keep: float | None = None,
        shared: bool = False,
    ) -> None:
        state = new_state(Probing(probes, scheme, distribution, bits, keep, shared))
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias,
            padding_mode, device, dtype,
        )  # type: ignore[call-arg] # fmt: skip
        set_state(self, state)  # type: ignore[arg-type]

    def _conv_forward(self: Any, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if torch.jit.is_scripting():
            return self._xconv_exact(input, weight, bias)
        else:  # which TorchScript does not read
            return _probed(self, input, weight, bias)


class _TransposedConvolution(Probed):
    _xconv_exact: Any

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes = 0,
        output_padding: Sizes = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Sizes = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
        *,
        probes: int | None = None,
        scheme: str = "",
        distribution: str = "rademacher",
        bits: float | None = None,
        keep: float | None = None,
        shared: bool = False,
    ) -> None:
        state = new_state(Probing(probes, scheme, distribution, bits, keep, shared))
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, output_padding, groups, bias,
            dilation, padding_mode, device, dtype,
        )  # type: ignore[call-arg] # fmt: skip
        set_state(self, state)  # type: ignore[arg-type]

    def forward(self: Any, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """As torch's, ``output_size`` included."""
        if torch.jit.is_scripting():
            return self._xconv_exact(input, output_size)
        else:  # which TorchScript does not read
            return _probed_transposed(self, input, output_size)


@of_any_class
def _probed(layer: Any, input: Any, weight: Tensor, bias: Tensor | None) -> Any:
    """The call of a convolution; its geometry is what torch's own forward pass reads."""
    if isinstance(input, fx.Proxy):
        return as_leaf(layer, input)
    state = layer._xconv
    if _is_plain(state):
        return type(layer)._xconv_exact(layer, input, weight, bias)
    size = weight.dim() - 2
    stride, dilation = per_dimension(layer.stride, size), per_dimension(layer.dilation, size)
    if layer.padding_mode == "zeros":
        word = layer.padding
        word = word if isinstance(word, str) else per_dimension(word, size)
        if word == "same" and any(step != 1 for step in stride):  # which torch refuses
            return type(layer)._xconv_exact(layer, input, weight, bias)
        padding, border, mode = resolve_padding(word, "zeros", tuple(weight.shape[2:]), dilation)
    else:  # as it was at construction, whatever ``padding`` says since
        padding, border = (0,) * size, tuple(layer._reversed_padding_repeated_twice)
        mode = layer.padding_mode
    geometry = Geometry(stride, padding, dilation, layer.groups, border=border, border_mode=mode)
    return convolution(input, weight, bias, geometry, state)


@of_any_class
def _probed_transposed(layer: Any, input: Any, output_size: list[int] | None) -> Any:
    """The call of a transposed convolution."""
    if isinstance(input, fx.Proxy):
        return as_leaf(layer, input, output_size)
    state, weight = layer._xconv, layer.weight
    refused = layer.padding_mode != "zeros" or not isinstance(layer.padding, tuple)
    if _is_plain(state) or refused:
        return type(layer)._xconv_exact(layer, input, output_size)
    size = weight.dim() - 2
    output_padding = layer._output_padding(
        input, output_size, layer.stride, layer.padding, layer.kernel_size, size, layer.dilation
    )
    geometry = Geometry(
        per_dimension(layer.stride, size),
        per_dimension(layer.padding, size),
        per_dimension(layer.dilation, size),
        layer.groups,
        transposed=True,
        output_padding=per_dimension(output_padding, size),
    )
    return convolution(input, weight, layer.bias, geometry, state)


def _is_plain(state: State) -> bool:
    """Whether this call is torch's own, whatever its tensors."""
    exact = state.probing is None or state.probing.is_exact
    return exact or is_traced() or not (torch.is_grad_enabled() or may_run_again())


class XConv1d(_Convolution, nn.Conv1d):
    """``torch.nn.Conv1d`` that keeps ``probes`` projections of its input instead of its input.

    Takes every argument of ``torch.nn.Conv1d``, and by name:

    Args:
        probes: random projections of each input, 0 for the exact layer.
        scheme: ``"independent"``, ``"multi"`` or ``"orthogonal"`` (arXiv 2106.06998, section 3).
        distribution: ``"rademacher"`` or ``"gaussian"`` probes.
        shared: independent probes as published, the same for all images of a batch and of all of
            the input; otherwise each image has its own, and means of channels are kept apart.

    Raises ValueError or TypeError for other values of these. Input (batch, channels, length) or
    (channels, length), any floating dtype.

    >>> layer = XConv1d(3, 8, kernel_size=5, padding="same", probes=4)
    >>> layer(torch.zeros(2, 3, 100)).shape
    torch.Size([2, 8, 100])
    """

    _xconv_exact = exactly(nn.Conv1d._conv_forward)


class XConv2d(_Convolution, nn.Conv2d):
    """``torch.nn.Conv2d`` that keeps ``probes`` projections of its input; see ``XConv1d``.

    Input (batch, channels, height, width) or (channels, height, width).

    >>> layer = XConv2d(3, 8, kernel_size=3, probes=4, scheme="multi")
    >>> layer(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 8, 30, 30])
    """

    _xconv_exact = exactly(nn.Conv2d._conv_forward)


class XConv3d(_Convolution, nn.Conv3d):
    """``torch.nn.Conv3d`` that keeps ``probes`` projections of its input; see ``XConv1d``."""

    _xconv_exact = exactly(nn.Conv3d._conv_forward)


class XConvTranspose1d(_TransposedConvolution, nn.ConvTranspose1d):
    """``torch.nn.ConvTranspose1d`` that keeps ``probes`` projections of its input."""

    _xconv_exact = exactly(nn.ConvTranspose1d.forward)


class XConvTranspose2d(_TransposedConvolution, nn.ConvTranspose2d):
    """``torch.nn.ConvTranspose2d`` that keeps ``probes`` projections of its input."""

    _xconv_exact = exactly(nn.ConvTranspose2d.forward)


class XConvTranspose3d(_TransposedConvolution, nn.ConvTranspose3d):
    """``torch.nn.ConvTranspose3d`` that keeps ``probes`` projections of its input."""

    _xconv_exact = exactly(nn.ConvTranspose3d.forward)
