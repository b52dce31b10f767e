"""Subclasses of torch's convolutions that differ from them in the weight gradient only.

Parameters, ``state_dict`` keys and initialisation are torch's. With ``probes=0`` the whole layer
is.
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
    """Base of the probed layers: torch's attributes and one more, a ``State``.

    It defines no other name that a class derived from torch's could also have defined.
    """

    def extra_repr(self: Any) -> str:
        """Return torch's description, followed by how the weight gradient is found."""
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
    """Change how ``layer`` keeps its input, from its next call on.

    Args:
        layer: a layer of this module, or one that ``xconv.convert`` swapped.
        probes: see ``XConv1d``, as for all arguments that follow.
        scheme: name of the scheme.
        distribution: distribution of the probes.
        bits: bits per element of the input.
        keep: share of the pixels.
        shared: use the same probes for all images of a batch.

    Raises:
        ValueError: for values that ``XConv1d`` refuses.
        TypeError: for values that ``XConv1d`` refuses, and for any other layer.

    >>> layer = XConv2d(3, 8, kernel_size=3, probes=4)
    >>> set_probing(layer, scheme="quantized", bits=4)
    >>> layer
    XConv2d(3, 8, kernel_size=(3, 3), stride=(1, 1), bits=4, scheme=quantized)
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
        else:  # TorchScript does not compile this branch
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
        """Run torch's forward pass, ``output_size`` included, and keep a stand-in of the input."""
        if torch.jit.is_scripting():
            return self._xconv_exact(input, output_size)
        else:  # TorchScript does not compile this branch
            return _probed_transposed(self, input, output_size)


@of_any_class
def _probed(layer: Any, input: Any, weight: Tensor, bias: Tensor | None) -> Any:
    """Call a convolution whose geometry is what torch's own forward pass would read."""
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
        if word == "same" and any(step != 1 for step in stride):  # torch raises an error
            return type(layer)._xconv_exact(layer, input, weight, bias)
        padding, border, mode = resolve_padding(word, "zeros", tuple(weight.shape[2:]), dilation)
    else:  # torch reads ``padding`` only at construction
        padding, border = (0,) * size, tuple(layer._reversed_padding_repeated_twice)
        mode = layer.padding_mode
    geometry = Geometry(stride, padding, dilation, layer.groups, border=border, border_mode=mode)
    return convolution(input, weight, bias, geometry, state)


@of_any_class
def _probed_transposed(layer: Any, input: Any, output_size: list[int] | None) -> Any:
    """Call a transposed convolution."""
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
    """Return whether this call is torch's own, whatever its tensors are."""
    exact = state.probing is None or state.probing.is_exact
    return exact or is_traced() or not (torch.is_grad_enabled() or may_run_again())


class XConv1d(_Convolution, nn.Conv1d):
    """``torch.nn.Conv1d`` that keeps a compressed stand-in of its input for the backward pass.

    The weight gradient is linear in the input x. A random stand-in x̂ with E[x̂] = x therefore
    gives an unbiased estimate of it. Outputs, input gradients and bias gradients are exact.

    Args:
        in_channels: as all arguments up to ``dtype``, the argument of ``torch.nn.Conv1d``.
        probes: number of random projections of each input, for the schemes ``"independent"``,
            ``"multi"`` and ``"orthogonal"``; 0 makes the layer exact.
        scheme: one of ``xconv.schemes.SCHEMES``. If empty, ``probes`` mean ``"independent"``,
            ``keep`` means ``"sampling"``, and ``bits`` or nothing mean ``"spectral"``.
        distribution: distribution of the probes, ``"rademacher"`` or ``"gaussian"``.
        bits: bits per element of the input: above 0 and at most 8 for ``"spectral"`` (default 1);
            1, 2, 4 or 8 for ``"quantized"`` (default 2).
        keep: share of the pixels for ``"sampling"``, above 0 and at most 1 (default 0.1).
        shared: use the same independent probes for all images of a batch and do not keep means of
            channels apart, as the paper does. Otherwise each image has probes of its own.

    Raises:
        ValueError: for an unknown word, a number out of range, or a dial of another scheme.
        TypeError: for a value of the wrong type.

    Input (batch, channels, length) or (channels, length), any floating dtype; the output's shape
    and dtype are torch's. Where the stand-in would be no smaller than the input, a call keeps the
    input and its weight gradient is exact.

    >>> layer = XConv1d(3, 8, kernel_size=5, padding="same", probes=4)
    >>> layer(torch.zeros(2, 3, 100)).shape
    torch.Size([2, 8, 100])
    """

    _xconv_exact = exactly(nn.Conv1d._conv_forward)


class XConv2d(_Convolution, nn.Conv2d):
    """``torch.nn.Conv2d`` that keeps a compressed stand-in of its input for the backward pass.

    Arguments and errors are those of ``XConv1d``. Input (batch, channels, height, width) or
    (channels, height, width), any floating dtype.

    >>> layer = XConv2d(3, 8, kernel_size=3, scheme="spectral", bits=0.5)
    >>> layer(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 8, 30, 30])

    The mean of the estimated weight gradient is the exact one:

    >>> _ = torch.manual_seed(0)
    >>> x, layer = torch.randn(2, 3, 16, 16), XConv2d(3, 4, 3, probes=64)
    >>> exact = torch.nn.functional.conv2d(x, layer.weight, layer.bias)
    >>> (exact_gradient,) = torch.autograd.grad(exact.square().sum(), layer.weight)
    >>> def estimate():
    ...     return torch.autograd.grad(layer(x).square().sum(), layer.weight)[0]
    >>> mean = sum(estimate() for _ in range(100)) / 100
    >>> bool((mean - exact_gradient).norm() < 0.1 * exact_gradient.norm())
    True
    """

    _xconv_exact = exactly(nn.Conv2d._conv_forward)


class XConv3d(_Convolution, nn.Conv3d):
    """``torch.nn.Conv3d`` that keeps a compressed stand-in of its input for the backward pass.

    Arguments and errors are those of ``XConv1d``. Input (batch, channels, depth, height, width) or
    (channels, depth, height, width), any floating dtype.

    >>> layer = XConv3d(2, 4, kernel_size=3, scheme="quantized", bits=2)
    >>> layer(torch.zeros(1, 2, 8, 8, 8)).shape
    torch.Size([1, 4, 6, 6, 6])
    """

    _xconv_exact = exactly(nn.Conv3d._conv_forward)


class XConvTranspose1d(_TransposedConvolution, nn.ConvTranspose1d):
    """``torch.nn.ConvTranspose1d`` that keeps a compressed stand-in of its input.

    Takes the arguments of ``torch.nn.ConvTranspose1d``, and by name ``probes``, ``scheme``,
    ``distribution``, ``bits``, ``keep`` and ``shared`` of ``XConv1d``, with the same errors. Input
    (batch, channels, length) or (channels, length), any floating dtype.

    >>> layer = XConvTranspose1d(8, 3, kernel_size=4, stride=2, padding=1, probes=4)
    >>> layer(torch.zeros(2, 8, 50)).shape
    torch.Size([2, 3, 100])
    """

    _xconv_exact = exactly(nn.ConvTranspose1d.forward)


class XConvTranspose2d(_TransposedConvolution, nn.ConvTranspose2d):
    """``torch.nn.ConvTranspose2d`` that keeps a compressed stand-in of its input.

    Arguments and errors are those of ``XConvTranspose1d``. Input (batch, channels, height, width)
    or (channels, height, width), any floating dtype.

    >>> layer = XConvTranspose2d(8, 3, kernel_size=2, stride=2, scheme="sampling", keep=0.1)
    >>> layer(torch.zeros(2, 8, 16, 16)).shape
    torch.Size([2, 3, 32, 32])
    """

    _xconv_exact = exactly(nn.ConvTranspose2d.forward)


class XConvTranspose3d(_TransposedConvolution, nn.ConvTranspose3d):
    """``torch.nn.ConvTranspose3d`` that keeps a compressed stand-in of its input.

    Arguments and errors are those of ``XConvTranspose1d``. Input (batch, channels, depth, height,
    width) or (channels, depth, height, width), any floating dtype.

    >>> layer = XConvTranspose3d(4, 2, kernel_size=2, stride=2)
    >>> layer(torch.zeros(1, 4, 8, 8, 8)).shape
    torch.Size([1, 2, 16, 16, 16])
    """

    _xconv_exact = exactly(nn.ConvTranspose3d.forward)
