"""The layers: subclasses of ``torch.nn``'s convolutions that differ in their weight gradient only.

Same parameters, same ``state_dict`` keys, same initialisation. ``probes=0`` is the exact layer.
"""

from typing import Any

import torch
from torch import Tensor, nn

from xconv import functional
from xconv.differentiation import is_exporting
from xconv.probing import Probing
from xconv.random import draw_seed


class Probed:
    """What the probed layers add to torch's."""

    probes: int
    scheme: str
    distribution: str
    falls_back: bool
    """Whether the last call kept its input, because the sketch would have been no smaller."""

    def __init__(
        self,
        *args: Any,
        probes: int = 8,
        scheme: str = "independent",
        distribution: str = "rademacher",
        **kwargs: Any,
    ) -> None:
        Probing(probes, scheme, distribution)
        super().__init__(*args, **kwargs)
        self.set_probing(probes, scheme, distribution)

    def set_probing(self, probes: int, scheme: str, distribution: str) -> None:
        """Probe with these from the next call on. Raises as ``Probing`` does."""
        Probing(probes, scheme, distribution)
        self.probes, self.scheme, self.distribution = probes, scheme, distribution
        self.falls_back = False

    def clear_probing(self) -> None:
        """Undo ``set_probing``: the attributes that are left are those of torch's layer."""
        del self.probes, self.scheme, self.distribution, self.falls_back

    def extra_repr(self) -> str:
        """torch's, then how the weight gradient is found."""
        words = [super().extra_repr(), f"probes={self.probes}", f"scheme={self.scheme}"]  # type: ignore[misc]
        if self.distribution != "rademacher":
            words.append(f"distribution={self.distribution}")
        if self.falls_back:
            words.append("falls back to the exact gradient")
        return ", ".join(words)

    def _probing(self: Any, input: Tensor, weight: Tensor) -> dict[str, Any]:
        """How this call is probed, for ``functional``; makes a note if it will not be.

        A checkpointed segment may run without gradients first. It draws there too, for the sake of
        the dropout behind it: that has to find the random stream where it will find it later.
        """
        probing = Probing(self.probes, self.scheme, self.distribution)
        dimensions = weight.dim() - 2
        if weight.requires_grad and input.dim() > dimensions and not is_exporting():
            batched = input if input.dim() > dimensions + 1 else input.unsqueeze(0)
            falls_back = not probing.saves_memory(batched)
            if torch.is_grad_enabled():
                self.falls_back = falls_back
            elif self.training and not falls_back and not torch.is_inference_mode_enabled():
                draw_seed()
        return {
            "probes": self.probes, "scheme": self.scheme, "distribution": self.distribution
        }  # fmt: skip


class _Convolution(Probed):
    def _conv_forward(self: Any, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if self.probes == 0:
            output: Tensor = super()._conv_forward(input, weight, bias)  # type: ignore[misc]
            return output
        return functional.conv(
            input, weight, bias, self.stride, self.padding, self.dilation, self.groups,
            padding_mode=self.padding_mode, **self._probing(input, weight),
        )  # fmt: skip


class _TransposedConvolution(Probed):
    def forward(self: Any, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """As torch's, ``output_size`` included."""
        if self.probes == 0:
            output: Tensor = super().forward(input, output_size)  # type: ignore[misc]
            return output
        output_padding = self._output_padding(
            input, output_size, self.stride, self.padding, self.kernel_size,
            len(self.kernel_size), self.dilation,
        )  # fmt: skip
        return functional.conv_transpose(
            input, self.weight, self.bias, self.stride, self.padding, output_padding,
            self.groups, self.dilation, **self._probing(input, self.weight),
        )  # fmt: skip


class XConv1d(_Convolution, nn.Conv1d):
    """``torch.nn.Conv1d`` that keeps ``probes`` projections of its input instead of its input.

    Takes every argument of ``torch.nn.Conv1d``, and by name:

    Args:
        probes: random projections of each input, 0 for the exact layer.
        scheme: ``"independent"``, ``"multi"`` or ``"orthogonal"`` (arXiv 2106.06998, section 3).
        distribution: ``"rademacher"`` or ``"gaussian"`` probes.

    Raises ValueError or TypeError for other values of these. Input (batch, channels, length) or
    (channels, length), any floating dtype.

    >>> layer = XConv1d(3, 8, kernel_size=5, padding="same", probes=4)
    >>> layer(torch.zeros(2, 3, 100)).shape
    torch.Size([2, 8, 100])
    """


class XConv2d(_Convolution, nn.Conv2d):
    """``torch.nn.Conv2d`` that keeps ``probes`` projections of its input; see ``XConv1d``.

    Input (batch, channels, height, width) or (channels, height, width).

    >>> layer = XConv2d(3, 8, kernel_size=3, probes=4, scheme="multi")
    >>> layer(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 8, 30, 30])
    """


class XConv3d(_Convolution, nn.Conv3d):
    """``torch.nn.Conv3d`` that keeps ``probes`` projections of its input; see ``XConv1d``."""


class XConvTranspose1d(_TransposedConvolution, nn.ConvTranspose1d):
    """``torch.nn.ConvTranspose1d`` that keeps ``probes`` projections of its input."""


class XConvTranspose2d(_TransposedConvolution, nn.ConvTranspose2d):
    """``torch.nn.ConvTranspose2d`` that keeps ``probes`` projections of its input."""


class XConvTranspose3d(_TransposedConvolution, nn.ConvTranspose3d):
    """``torch.nn.ConvTranspose3d`` that keeps ``probes`` projections of its input."""
