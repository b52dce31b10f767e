"""Normalisations that the tests of ``xconv.saved`` share."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from xconv.saved.norm import NORMALIZATIONS


@dataclass(frozen=True)
class Norm:
    """One of torch's normalisations, its arguments, and the shape of what it normalises."""

    kind: type[nn.Module]
    arguments: tuple[Any, ...]
    shape: tuple[int, ...]
    options: dict[str, Any] = field(default_factory=dict)
    channels_last: bool = False

    def pair(self, norm_bits: int = 4, dtype: torch.dtype = torch.float64) -> tuple[Any, Any]:
        """torch's and ours, equal in all parameters, none of which is 0 or 1."""
        torch.manual_seed(0)
        exact = self.kind(*self.arguments, **self.options).to(dtype)
        for parameter in exact.parameters():
            nn.init.normal_(parameter)
        ours: Any = NORMALIZATIONS[self.kind]
        layer = ours(*self.arguments, **self.options, norm_bits=norm_bits).to(dtype)
        layer.load_state_dict(exact.state_dict())
        return exact, layer

    def input(self, dtype: torch.dtype = torch.float64) -> Tensor:
        """Always the same numbers, not of mean 0 and variance 1."""
        generator = torch.Generator().manual_seed(1)
        numbers = 2 * torch.randn(self.shape, generator=generator, dtype=torch.float64) + 1
        if self.channels_last:
            numbers = numbers.movedim(1, -1).contiguous().movedim(-1, 1)
        return numbers.to(dtype).requires_grad_()

    def output_gradient(self, dtype: torch.dtype = torch.float64) -> Tensor:
        """Always the same gradient of the output."""
        generator = torch.Generator().manual_seed(2)
        return torch.randn(self.shape, generator=generator, dtype=torch.float64).to(dtype)

    def step(self, layer: nn.Module, dtype: torch.dtype = torch.float64) -> list[Tensor]:
        """Output, and the gradients of the input and of all parameters."""
        input = self.input(dtype)
        output = layer(input)
        wanted = [input, *(p for p in layer.parameters() if p.requires_grad)]
        return [output, *torch.autograd.grad(output, wanted, self.output_gradient(dtype))]


NORMS = {
    "BatchNorm1d": Norm(nn.BatchNorm1d, (5,), (60, 5)),
    "BatchNorm1d, lines": Norm(nn.BatchNorm1d, (5,), (4, 5, 21)),
    "BatchNorm2d": Norm(nn.BatchNorm2d, (6,), (3, 6, 7, 8)),
    "BatchNorm2d, channels last": Norm(nn.BatchNorm2d, (6,), (3, 6, 7, 8), channels_last=True),
    "BatchNorm2d, plain": Norm(
        nn.BatchNorm2d, (6,), (3, 6, 7, 8), {"affine": False, "track_running_stats": False}
    ),
    "BatchNorm2d, cumulative": Norm(nn.BatchNorm2d, (6,), (3, 6, 7, 8), {"momentum": None}),
    "BatchNorm3d": Norm(nn.BatchNorm3d, (6,), (2, 6, 3, 4, 5)),
    "SyncBatchNorm": Norm(nn.SyncBatchNorm, (6,), (3, 6, 7, 8)),
    "InstanceNorm1d": Norm(nn.InstanceNorm1d, (5,), (4, 5, 21)),
    "InstanceNorm2d": Norm(nn.InstanceNorm2d, (6,), (3, 6, 7, 8), {"affine": True}),
    "InstanceNorm2d, tracking": Norm(
        nn.InstanceNorm2d, (6,), (3, 6, 7, 8), {"affine": True, "track_running_stats": True}
    ),
    "InstanceNorm3d": Norm(nn.InstanceNorm3d, (6,), (2, 6, 3, 4, 5), {"affine": True}),
    "GroupNorm": Norm(nn.GroupNorm, (2, 6), (3, 6, 7, 8)),
    "GroupNorm, channels last": Norm(nn.GroupNorm, (3, 6), (3, 6, 7, 8), channels_last=True),
    "GroupNorm, vectors": Norm(nn.GroupNorm, (2, 30), (20, 30)),
    "LayerNorm": Norm(nn.LayerNorm, (9,), (4, 11, 9)),
    "LayerNorm, two dimensions": Norm(nn.LayerNorm, ((11, 9),), (4, 11, 9)),
    "LayerNorm, plain": Norm(nn.LayerNorm, (9,), (4, 11, 9), {"elementwise_affine": False}),
    "LayerNorm, transposed": Norm(nn.LayerNorm, (11,), (4, 9, 11), channels_last=True),
    "RMSNorm": Norm(nn.RMSNorm, (9,), (4, 11, 9)),
}
