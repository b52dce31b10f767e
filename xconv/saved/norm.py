"""Normalisations that keep their normalised input in a few bits.

Outputs and running statistics are torch's, bit for bit. In training the gradients of input and γ
are unbiased estimates, from 1, 2, 4 or 8 bits per element. In evaluation the input gradient is
exact and needs nothing; only a γ that learns requires the normalised input to be kept.
"""

from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from xconv import autocast
from xconv.saved.normalizing import Normalizing, estimated, fixed, prepare
from xconv.saved.rules import (
    BatchNormRule,
    GroupNormRule,
    InstanceNormRule,
    LayerNormRule,
    RMSNormRule,
    Rule,
    SyncBatchNormRule,
)
from xconv.scripting import exactly


class _BatchNorm(Normalizing):
    def _xconv_normalize(self: Any, input: Tensor) -> Tensor | None:
        trains = self.training or (self.running_mean is None and self.running_var is None)
        if input.dim() < 2 or input.shape[1] != self.num_features or not input.numel():
            return None
        process_group, processes = _processes(self)
        synchronizes = processes > 1
        if synchronizes and (torch.compiler.is_compiling() or input.is_cpu):
            return None
        is_refused = self.eps <= 0 or (input.numel() == self.num_features and not synchronizes)
        is_ours, seed = prepare(self, input, trains)
        if not is_ours or (trains and is_refused):
            return None
        self._check_input_dim(input)
        momentum = _momentum(self)
        tracks = not self.training or self.track_running_stats
        running = (self.running_mean, self.running_var) if tracks else (None, None)
        if not trains:
            return fixed(self, input, running, seed)
        rule: Rule = BatchNormRule(momentum, self.eps)
        if synchronizes:
            rule = SyncBatchNormRule(momentum, self.eps, process_group, processes)
        return estimated(self, input, running, seed, rule)


def _momentum(module: Any) -> float:
    """Return the share of this batch in the running statistics, and count the batch."""
    if module.training and module.track_running_stats and module.num_batches_tracked is not None:
        module.num_batches_tracked.add_(1)
        if module.momentum is None:
            return 1.0 / float(module.num_batches_tracked)
    return 0.0 if module.momentum is None else module.momentum


def _processes(module: nn.Module) -> tuple[Any, int]:
    """Return the processes that share statistics, and their number."""
    synchronizes = isinstance(module, nn.SyncBatchNorm) and module.training
    if not (synchronizes and dist.is_available() and dist.is_initialized()):
        return None, 1
    group: Any = module.process_group or dist.group.WORLD
    return group, dist.get_world_size(group)


class _InstanceNorm(Normalizing):
    def _xconv_normalize(self: Any, input: Tensor) -> Tensor | None:
        alone = self._get_no_batch_dim()
        if input.dim() == alone:
            output = self._xconv_normalize(input.unsqueeze(0))
            return None if output is None else output.squeeze(0)
        if input.dim() != alone + 1 or input.shape[1] != self.num_features or not input.numel():
            return None
        trains = self.training or not self.track_running_stats
        is_ours, seed = prepare(self, input, trains)
        if not is_ours or (trains and input[0, 0].numel() == 1):  # torch raises an error
            return None
        running = self.running_mean, self.running_var
        if not trains:
            return fixed(self, input, running, seed)
        rule = InstanceNormRule(0.0 if self.momentum is None else self.momentum, self.eps)
        return estimated(self, input, running, seed, rule)


def _widened(module: Any, input: Tensor, operator: str, rule: Rule) -> Tensor | None:
    """Return the output of a normalisation that only ever uses the statistics of its input."""
    is_ours, seed = prepare(module, input, True)
    if not is_ours:
        return None
    input = autocast.widened(operator, input)
    return estimated(module, input, (None, None), seed, rule)


class XGroupNorm(Normalizing, nn.GroupNorm):
    """``torch.nn.GroupNorm`` that keeps its normalised input in ``norm_bits`` bits per element.

    Takes the arguments of torch's class, and ``norm_bits`` by name: 1, 2, 4 (default) or 8. Raises
    ValueError for others. Input (batch, channels, *pixels), any floating dtype; outputs are
    torch's, bit for bit.

    >>> x = torch.randn(2, 8, 4, 4)
    >>> torch.equal(XGroupNorm(2, 8, norm_bits=2)(x), nn.GroupNorm(2, 8)(x))
    True
    """

    _xconv_exact = exactly(nn.GroupNorm.forward)

    def _xconv_normalize(self, input: Tensor) -> Tensor | None:
        if input.dim() < 2 or input.shape[1] != self.num_channels:
            return None
        if input.numel() <= input.shape[0] * self.num_groups:  # torch may raise an error
            return None
        return _widened(self, input, "group_norm", GroupNormRule(self.num_groups, self.eps))


class XLayerNorm(Normalizing, nn.LayerNorm):
    """``torch.nn.LayerNorm`` that keeps its normalised input in ``norm_bits`` bits per element.

    Takes the arguments of torch's class, and ``norm_bits`` by name: 1, 2, 4 (default) or 8. Raises
    ValueError for others. Input (..., *normalized_shape), any floating dtype; outputs are torch's,
    bit for bit.

    >>> x = torch.randn(2, 5, 16)
    >>> torch.equal(XLayerNorm(16, norm_bits=2)(x), nn.LayerNorm(16)(x))
    True
    """

    _xconv_exact = exactly(nn.LayerNorm.forward)

    def _xconv_normalize(self, input: Tensor) -> Tensor | None:
        shape = self.normalized_shape
        if input.shape[-len(shape) :] != shape:
            return None
        return _widened(self, input, "layer_norm", LayerNormRule(shape, self.eps))


class XLayerNorm2d(XLayerNorm):
    """torchvision's ``LayerNorm2d``, which normalises the channels of each pixel.

    Takes the arguments of ``torch.nn.LayerNorm``, and ``norm_bits`` by name: 1, 2, 4 (default) or
    8. Input (batch, channels, height, width), any floating dtype.

    >>> XLayerNorm2d(8, norm_bits=2)(torch.randn(2, 8, 4, 4)).shape
    torch.Size([2, 8, 4, 4])
    """

    def _xconv_normalize(self, input: Tensor) -> Tensor | None:
        if input.dim() != 4:
            return None
        output = super()._xconv_normalize(input.permute(0, 2, 3, 1))
        return None if output is None else output.permute(0, 3, 1, 2)

    def _xconv_exact(self, input: Tensor) -> Tensor:
        rows = input.permute(0, 2, 3, 1)
        output = F.layer_norm(rows, self.normalized_shape, self.weight, self.bias, self.eps)
        return output.permute(0, 3, 1, 2)


class XRMSNorm(Normalizing, nn.RMSNorm):
    """``torch.nn.RMSNorm`` that keeps its normalised input in ``norm_bits`` bits per element.

    Takes the arguments of torch's class, and ``norm_bits`` by name: 1, 2, 4 (default) or 8. Raises
    ValueError for others. Input (..., *normalized_shape), any floating dtype; outputs are torch's,
    bit for bit.

    >>> x = torch.randn(2, 5, 16)
    >>> torch.equal(XRMSNorm(16, norm_bits=2)(x), nn.RMSNorm(16)(x))
    True
    """

    _xconv_exact = exactly(nn.RMSNorm.forward)

    def _xconv_normalize(self, input: Tensor) -> Tensor | None:
        shape = self.normalized_shape
        if input.shape[-len(shape) :] != shape:
            return None
        return _widened(self, input, "rms_norm", RMSNormRule(shape, self.eps))


class XBatchNorm1d(_BatchNorm, nn.BatchNorm1d):
    """``torch.nn.BatchNorm1d`` that keeps its normalised input in ``norm_bits`` bits per element.

    Takes the arguments of torch's class, and ``norm_bits`` by name: 1, 2, 4 (default) or 8. Raises
    ValueError for others. Input (batch, channels) or (batch, channels, length), any floating dtype;
    outputs are torch's, bit for bit.

    >>> x = torch.randn(4, 8)
    >>> torch.equal(XBatchNorm1d(8, norm_bits=2)(x), nn.BatchNorm1d(8)(x))
    True
    """

    _xconv_exact = exactly(nn.BatchNorm1d.forward)


class XBatchNorm2d(_BatchNorm, nn.BatchNorm2d):
    """``torch.nn.BatchNorm2d`` that keeps its normalised input in ``norm_bits`` bits per element.

    Takes the arguments of torch's class, and ``norm_bits`` by name: 1, 2, 4 (default) or 8. Raises
    ValueError for others. Input (batch, channels, height, width), any floating dtype; outputs are
    torch's, bit for bit.

    >>> x = torch.randn(2, 8, 4, 4)
    >>> torch.equal(XBatchNorm2d(8, norm_bits=2)(x), nn.BatchNorm2d(8)(x))
    True
    """

    _xconv_exact = exactly(nn.BatchNorm2d.forward)


class XBatchNorm3d(_BatchNorm, nn.BatchNorm3d):
    """``torch.nn.BatchNorm3d`` that keeps its normalised input in ``norm_bits`` bits per element.

    Takes the arguments of torch's class, and ``norm_bits`` by name: 1, 2, 4 (default) or 8. Raises
    ValueError for others. Input (batch, channels, depth, height, width), any floating dtype;
    outputs are torch's, bit for bit.

    >>> x = torch.randn(2, 8, 4, 4, 4)
    >>> torch.equal(XBatchNorm3d(8, norm_bits=2)(x), nn.BatchNorm3d(8)(x))
    True
    """

    _xconv_exact = exactly(nn.BatchNorm3d.forward)


class XSyncBatchNorm(_BatchNorm, nn.SyncBatchNorm):
    """``torch.nn.SyncBatchNorm`` that keeps its normalised input in ``norm_bits`` bits per element.

    Takes the arguments of torch's class, and ``norm_bits`` by name: 1, 2, 4 (default) or 8. Raises
    ValueError for others. Input (batch, channels, *pixels), any floating dtype; outputs are
    torch's, bit for bit.

    >>> x = torch.randn(2, 8, 4, 4)
    >>> torch.equal(XSyncBatchNorm(8, norm_bits=2).eval()(x), nn.SyncBatchNorm(8).eval()(x))
    True
    """

    _xconv_exact = exactly(nn.SyncBatchNorm.forward)


class XInstanceNorm1d(_InstanceNorm, nn.InstanceNorm1d):
    """``torch.nn.InstanceNorm1d`` that keeps its normalised input in ``norm_bits`` bits an element.

    Takes the arguments of torch's class, and ``norm_bits`` by name: 1, 2, 4 (default) or 8. Raises
    ValueError for others. Input (batch, channels, length) or without the batch, any floating dtype;
    outputs are torch's, bit for bit.

    >>> x = torch.randn(2, 8, 16)
    >>> torch.equal(XInstanceNorm1d(8, norm_bits=2)(x), nn.InstanceNorm1d(8)(x))
    True
    """

    _xconv_exact = exactly(nn.InstanceNorm1d.forward)


class XInstanceNorm2d(_InstanceNorm, nn.InstanceNorm2d):
    """``torch.nn.InstanceNorm2d`` that keeps its normalised input in ``norm_bits`` bits an element.

    Takes the arguments of torch's class, and ``norm_bits`` by name: 1, 2, 4 (default) or 8. Raises
    ValueError for others. Input (batch, channels, height, width) or without the batch, any floating
    dtype; outputs are torch's, bit for bit.

    >>> x = torch.randn(2, 8, 4, 4)
    >>> torch.equal(XInstanceNorm2d(8, norm_bits=2)(x), nn.InstanceNorm2d(8)(x))
    True
    """

    _xconv_exact = exactly(nn.InstanceNorm2d.forward)


class XInstanceNorm3d(_InstanceNorm, nn.InstanceNorm3d):
    """``torch.nn.InstanceNorm3d`` that keeps its normalised input in ``norm_bits`` bits an element.

    Takes the arguments of torch's class, and ``norm_bits`` by name: 1, 2, 4 (default) or 8. Raises
    ValueError for others. Input (batch, channels, depth, height, width) or without the batch, any
    floating dtype; outputs are torch's, bit for bit.

    >>> x = torch.randn(2, 8, 4, 4, 4)
    >>> torch.equal(XInstanceNorm3d(8, norm_bits=2)(x), nn.InstanceNorm3d(8)(x))
    True
    """

    _xconv_exact = exactly(nn.InstanceNorm3d.forward)


NORMALIZATIONS: dict[type[nn.Module], type[nn.Module]] = {
    nn.BatchNorm1d: XBatchNorm1d,
    nn.BatchNorm2d: XBatchNorm2d,
    nn.BatchNorm3d: XBatchNorm3d,
    nn.SyncBatchNorm: XSyncBatchNorm,
    nn.InstanceNorm1d: XInstanceNorm1d,
    nn.InstanceNorm2d: XInstanceNorm2d,
    nn.InstanceNorm3d: XInstanceNorm3d,
    nn.GroupNorm: XGroupNorm,
    nn.LayerNorm: XLayerNorm,
    nn.RMSNorm: XRMSNorm,
}
"""Our class for each of torch's, in the family ``norm``."""

ELSEWHERE: dict[tuple[str, str], type[nn.Module]] = {
    ("torchvision.models.convnext", "LayerNorm2d"): XLayerNorm2d,
}
"""Our class for classes of other packages, by module and name.

These classes have a forward pass of their own.
"""
