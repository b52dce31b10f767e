"""Rules of torch's normalisations: its forward pass, and which numbers share statistics.

Each rule returns what torch returns, bit for bit, with the statistics that were used.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.modules import _functions

from xconv.layout import is_channels_last
from xconv.saved.maps import Exchange, NormalizedMaps
from xconv.saved.rows import NormalizedRows
from xconv.saved.stand_in import wide

Running = tuple[Tensor | None, Tensor | None]
"""Running means and variances."""

_AT_ONCE = 8
"""Number of parts of an input that is first converted to a wider dtype."""


class Normalized(NamedTuple):
    """The result of a rule: output and statistics."""

    output: Tensor
    mean: Tensor | None
    """Mean that was subtracted, or None."""
    rstd: Tensor
    """Reciprocals of standard deviations."""
    exchange: Exchange | None = None
    """Exchange between processes, or None if statistics are those of one process."""


@dataclass(frozen=True)
class BatchNormRule:
    """``torch.nn.functional.batch_norm`` in training."""

    momentum: float
    eps: float

    def way(self, shape: torch.Size) -> NormalizedMaps:
        """Return the sets that share statistics: each channel of all images."""
        return NormalizedMaps(shape[1], across_batch=True)

    def run(
        self, input: Tensor, weight: Tensor | None, bias: Tensor | None, running: Running
    ) -> Normalized:
        """Normalise ``input`` (batch, channels, *pixels), and update the running statistics."""
        output, mean, rstd, *_ = torch.ops.aten._batch_norm_impl_index(
            input, weight, bias, *running, True, self.momentum, self.eps, _cudnn()
        )
        return Normalized(output, mean, rstd)


@dataclass(frozen=True)
class SyncBatchNormRule(BatchNormRule):
    """``torch.nn.SyncBatchNorm`` in training, over several processes."""

    process_group: Any
    world_size: int

    def run(
        self, input: Tensor, weight: Tensor | None, bias: Tensor | None, running: Running
    ) -> Normalized:
        """Normalise ``input`` with the statistics of all processes."""
        context: Any = _Context()
        output: Tensor = _functions.SyncBatchNorm.forward(
            context, input, weight, bias, *running, self.eps, self.momentum,
            self.process_group, self.world_size,
        )  # fmt: skip
        _, _, mean, rstd, counts = context.saved
        count = counts.sum()

        def exchange(sums: Tensor) -> tuple[Tensor, Tensor]:
            torch.distributed.all_reduce(sums, group=self.process_group)
            return sums, count

        return Normalized(output, mean, rstd, exchange)


class _Context:
    """The context that torch's ``SyncBatchNorm.forward`` writes its statistics to.

    They are available nowhere else.
    """

    saved: tuple[Any, ...]
    process_group: Any

    def save_for_backward(self, *tensors: Any) -> None:
        self.saved = tensors


@dataclass(frozen=True)
class InstanceNormRule:
    """``torch.nn.functional.instance_norm`` with the statistics of its input."""

    momentum: float
    eps: float

    def way(self, shape: torch.Size) -> NormalizedMaps:
        """Return the sets that share statistics: each map alone."""
        return NormalizedMaps(shape[1])

    def run(
        self, input: Tensor, weight: Tensor | None, bias: Tensor | None, running: Running
    ) -> Normalized:
        """Normalise ``input`` (batch, channels, *pixels), and update the running statistics."""
        given = [t for t in (input, weight, bias, *running) if t is not None]
        if all(t.dtype == wide(input.dtype) for t in given):
            return self._as_one_image(input, weight, bias, running)
        output = torch.instance_norm(
            input, weight, bias, *running, True, self.momentum, self.eps, _cudnn()
        )
        pixels = list(range(2, input.dim()))
        variances = _some_by_some(lambda x: torch.var(x, pixels, correction=0), input)
        means = _some_by_some(lambda x: torch.mean(x, pixels), input)
        return Normalized(output, means, variances.add_(self.eps).rsqrt_())

    def _as_one_image(
        self, input: Tensor, weight: Tensor | None, bias: Tensor | None, running: Running
    ) -> Normalized:
        """Do what torch's ``instance_norm`` does, which does not return its statistics.

        All maps are channels of one image. In 16 bits the statistics would be rounded, and with
        several dtypes torch may convert some.
        """
        batch, channels, *pixels = input.shape
        maps = input.contiguous().view(1, batch * channels, *pixels)
        repeated = [None if t is None else t.repeat(batch) for t in (weight, bias, *running)]
        output, mean, rstd, *_ = torch.ops.aten._batch_norm_impl_index(
            maps, *repeated, True, self.momentum, self.eps, _cudnn()
        )
        for own, of_maps in zip(running, repeated[2:], strict=True):
            if own is not None and of_maps is not None:
                own.copy_(of_maps.view(batch, channels).mean(0))
        return Normalized(output.view(input.shape), mean, rstd)


@dataclass(frozen=True)
class GroupNormRule:
    """``torch.nn.functional.group_norm``."""

    groups: int
    eps: float

    def way(self, shape: torch.Size) -> NormalizedMaps:
        """Return the sets that share statistics: each group of channels of one image."""
        return NormalizedMaps(self.groups)

    def run(
        self, input: Tensor, weight: Tensor | None, bias: Tensor | None, running: Running
    ) -> Normalized:
        """Normalise ``input`` (batch, channels, *pixels), first copied as torch copies it."""
        batch, channels, *pixels = input.shape
        stays = input.is_cpu and input.dim() > 3 and is_channels_last(input)
        return Normalized(
            *torch.native_group_norm(
                input if stays else input.contiguous(),
                None if weight is None else weight.contiguous(),
                None if bias is None else bias.contiguous(),
                batch, channels, prod(pixels), self.groups, self.eps,
            )
        )  # fmt: skip


@dataclass(frozen=True)
class LayerNormRule:
    """``torch.nn.functional.layer_norm``."""

    shape: tuple[int, ...]
    eps: float

    def way(self, shape: torch.Size) -> NormalizedRows:
        """Return the sets that share statistics: the last dimensions, as many as ``shape`` has."""
        return NormalizedRows(prod(self.shape))

    def run(
        self, input: Tensor, weight: Tensor | None, bias: Tensor | None, running: Running
    ) -> Normalized:
        """Normalise ``input`` (..., *shape)."""
        return Normalized(*torch.native_layer_norm(input, list(self.shape), weight, bias, self.eps))


@dataclass(frozen=True)
class RMSNormRule:
    """``torch.nn.functional.rms_norm``."""

    shape: tuple[int, ...]
    eps: float | None

    def way(self, shape: torch.Size) -> NormalizedRows:
        """Return the sets that share statistics: the last dimensions, as many as ``shape`` has."""
        return NormalizedRows(prod(self.shape), is_centred=False)

    def run(
        self, input: Tensor, weight: Tensor | None, bias: Tensor | None, running: Running
    ) -> Normalized:
        """Normalise ``input`` (..., *shape), without a mean."""
        eps = torch.finfo(input.dtype).eps if self.eps is None else self.eps
        output = torch.rms_norm(input, list(self.shape), weight, self.eps)
        rows = input.reshape(-1, prod(self.shape))
        energies = _some_by_some(lambda x: x.square().mean(1), rows)
        return Normalized(output, None, energies.add_(eps).rsqrt_())


Rule = BatchNormRule | InstanceNormRule | GroupNormRule | LayerNormRule | RMSNormRule


def _cudnn() -> bool:
    return bool(torch.backends.cudnn.enabled)


def _some_by_some(function: Callable[[Tensor], Tensor], input: Tensor) -> Tensor:
    """Return ``function`` of ``input`` in float32 at least, computed in slices."""
    some = input.split(-(-len(input) // _AT_ONCE))
    return torch.cat([function(part.to(wide(part.dtype))) for part in some])
