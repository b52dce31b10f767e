"""Every kind of convolution that torch accepts, drawn small by hypothesis."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import xconv
from xconv.geometry import Geometry, resolve_padding

DRAWN = settings(
    derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
"""Settings of every test whose cases are drawn: the same cases each time, none kept on disk."""

MEMORY_FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}
_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


@dataclass(frozen=True)
class Case:
    """One convolution and the shape of what goes into it, a batch of images."""

    input_shape: tuple[int, ...]
    out_channels: int
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: tuple[int, ...] | str
    groups: int = 1
    padding_mode: str = "zeros"
    transposed: bool = False
    output_padding: tuple[int, ...] = ()
    channels_last: bool = False
    bias: bool = True

    @property
    def dimensions(self) -> int:
        """1, 2 or 3."""
        return len(self.kernel)

    def torch_layer(self, dtype: torch.dtype = torch.float64) -> Any:
        """torch's layer, always the same weights."""
        return self._seeded(nn, "Conv", dtype)

    def probed_layer(self, dtype: torch.dtype = torch.float64, **probing: Any) -> Any:
        """xconv's layer with the weights of ``torch_layer``."""
        return self._seeded(xconv, "XConv", dtype, **probing)

    def input(self, dtype: torch.dtype = torch.float64) -> Tensor:
        """Always the same images."""
        numbers = torch.randn(self.input_shape, dtype=dtype, generator=_generator(1))
        return self._arranged(numbers).requires_grad_()

    def output_gradient(self, output: Tensor) -> Tensor:
        """Always the same gradient of ``output``."""
        return torch.randn(output.shape, dtype=output.dtype, generator=_generator(2))

    @property
    def geometry(self) -> Geometry:
        """Return the geometry that the layer makes of its arguments."""
        if self.transposed:
            assert not isinstance(self.padding, str)
            return Geometry(
                self.stride, self.padding, self.dilation, self.groups,
                transposed=True, output_padding=self.output_padding,
            )  # fmt: skip
        padding, border, mode = resolve_padding(
            self.padding, self.padding_mode, self.kernel, self.dilation
        )
        return Geometry(
            self.stride, padding, self.dilation, self.groups, border=border, border_mode=mode
        )

    def _seeded(self, package: Any, name: str, dtype: torch.dtype, **probing: Any) -> Any:
        family = getattr(package, f"{name}{'Transpose' * self.transposed}{self.dimensions}d")
        extra: dict[str, Any] = (
            {"output_padding": self.output_padding}
            if self.transposed
            else {"padding_mode": self.padding_mode}
        )
        layer = family(
            self.input_shape[1], self.out_channels, self.kernel, self.stride,
            padding=self.padding, dilation=self.dilation, groups=self.groups, bias=self.bias,
            dtype=dtype, **extra, **probing,
        )  # fmt: skip
        for parameter in layer.parameters():
            parameter.data.normal_(generator=_generator(0))
        layer.weight.data = self._arranged(layer.weight.data)
        return layer

    def _arranged(self, tensor: Tensor) -> Tensor:
        if self.channels_last and tensor.dim() in MEMORY_FORMATS:
            return tensor.contiguous(memory_format=MEMORY_FORMATS[tensor.dim()])
        return tensor


def conv_case(input_shape: tuple[int, ...], out_channels: int, kernel: int, **options: Any) -> Case:
    """A ``Case`` whose sizes are given once for all dimensions, as torch's arguments allow."""
    size = len(input_shape) - 2
    sizes = {"stride": 1, "dilation": 1, "padding": 0}
    if options.get("transposed"):
        sizes["output_padding"] = 0
    spread = {
        name: value if isinstance(value, str) else (value,) * size
        for name, value in {**sizes, **{k: options.pop(k) for k in sizes if k in options}}.items()
    }
    return Case(input_shape, out_channels, (kernel,) * size, **spread, **options)


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def cases(max_pixels: int = 120, max_channels: int = 6) -> st.SearchStrategy[Case]:
    """Convolutions of 1, 2 and 3 dimensions, transposed ones among them."""
    return st.one_of(_convolutions(max_channels), _transposed(max_channels)).filter(
        lambda case: 1 < prod(case.input_shape[2:]) <= max_pixels
    )


@st.composite
def _convolutions(draw: Callable[..., Any], max_channels: int) -> Case:
    size = draw(st.integers(1, 3))
    kernel, dilation = _sizes(draw, size, 1, 4), _sizes(draw, size, 1, 2)
    mode = draw(st.sampled_from(_PADDING_MODES))
    padding = draw(st.sampled_from(["same", "valid", None]))
    stride = (1,) * size if padding == "same" else _sizes(draw, size, 1, 3)
    reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    if padding is None:
        padding = _sizes(draw, size, 0, 3)
    before = [(r + 1) // 2 for r in reach] if padding == "same" else padding
    sides = [0] * size if padding == "valid" else before
    smallest = [
        max(1, 1 + r - 2 * p * (mode == "zeros"), (p + 1) * (mode != "zeros"))
        for r, p in zip(reach, sides, strict=True)
    ]
    pixels = [n + draw(st.integers(0, 4)) for n in smallest]
    groups, channels, out_channels = _channels(draw, max_channels)
    return Case(
        (draw(st.integers(1, 3)), channels, *pixels), out_channels, kernel, stride, dilation,
        padding, groups, mode, channels_last=draw(st.booleans()), bias=draw(st.booleans()),
    )  # fmt: skip


@st.composite
def _transposed(draw: Callable[..., Any], max_channels: int) -> Case:
    size = draw(st.integers(1, 3))
    kernel, dilation = _sizes(draw, size, 1, 4), _sizes(draw, size, 1, 3)
    stride, padding = _sizes(draw, size, 1, 3), _sizes(draw, size, 0, 2)
    more = tuple(draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True))
    smallest = [
        max(1, 1 - (-(2 * p - d * (k - 1) - o) // s))
        for k, s, d, p, o in zip(kernel, stride, dilation, padding, more, strict=True)
    ]
    pixels = [n + draw(st.integers(0, 3)) for n in smallest]
    groups, channels, out_channels = _channels(draw, max_channels)
    return Case(
        (draw(st.integers(1, 3)), channels, *pixels), out_channels, kernel, stride, dilation,
        padding, groups, transposed=True, output_padding=more,
        channels_last=draw(st.booleans()), bias=draw(st.booleans()),
    )  # fmt: skip


def _channels(draw: Callable[..., Any], limit: int) -> tuple[int, int, int]:
    """Groups, channels in and channels out; one channel a group in is a depthwise convolution."""
    groups = draw(st.integers(1, 3))
    inside, outside = draw(st.integers(1, limit // groups)), draw(st.integers(1, 2))
    return groups, groups * inside, groups * outside


def _sizes(draw: Callable[..., Any], size: int, low: int, high: int) -> tuple[int, ...]:
    return tuple(draw(st.integers(low, high)) for _ in range(size))
