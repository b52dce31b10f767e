"""Forms of VanillaNet-10 between this project's and that of the paper's largest batches.

Factories for ``xconv-bench max-batch --model FILE.py:callable``: each takes one more step from the
published network towards the code published with the paper (slimgroup/XConv on GitHub).
"""

from typing import Any, Self

from torch import Tensor, nn
from torch.autograd import Function

from xconv_bench.models.vanillanet import VanillaNet


class _Evaluating(nn.BatchNorm2d):
    """A batch normalisation that stays in evaluation mode."""

    def train(self, mode: bool = True) -> Self:
        """Set evaluation mode, whatever ``mode`` says."""
        return super().train(False)


def evaluating(model: VanillaNet | None = None) -> VanillaNet:
    """Return the network with all normalisations in evaluation mode."""
    model = VanillaNet() if model is None else model
    for module in list(model.modules()):
        for name, norm in module.named_children():
            if isinstance(norm, nn.BatchNorm2d):
                setattr(module, name, _Evaluating(norm.num_features, eps=norm.eps).eval())
    return model


def wide_stem() -> VanillaNet:
    """Return ``evaluating`` with a first convolution of 5×5 pixels at stride 4, not 4×4.

    Images of 64 pixels lead to maps of 15, 7, 3 and 1 pixels a side in place of 16, 8, 4 and 2.
    """
    model = evaluating()
    norm = model.stem[1]
    assert isinstance(norm, nn.BatchNorm2d)
    model.stem[0] = nn.Conv2d(3, norm.num_features, 5, stride=4)
    return model


def without_series() -> VanillaNet:
    """Return ``wide_stem`` with a plain ReLU in place of each series of ReLUs.

    The published conversion makes this of the network: its series are subclasses of ``nn.ReLU``
    that have a weight and a normalisation of their own, and every ``nn.ReLU`` is exchanged whole.
    """
    model = wide_stem()
    for part in (model.stem, *model.stages):
        assert isinstance(part, nn.Sequential)
        del part[-2:]  # the depthwise convolution and its normalisation
    return model


class _ByteMask(Function):
    """A ReLU that keeps a byte for each element."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        output = x.relu()
        ctx.save_for_backward((output > 0).byte())
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (mask,) = ctx.saved_tensors
        return gradients[0] * mask


class ByteReLU(nn.Module):
    """A ReLU that keeps a byte for each element."""

    def forward(self, x: Tensor) -> Tensor:
        """Return max(x, 0)."""
        output: Tensor = _ByteMask.apply(x)
        return output


def byte_masks() -> VanillaNet:
    """Return ``without_series`` with ReLUs that keep a byte an element, as published, not a bit."""
    model = without_series()
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.ReLU):
                setattr(module, name, ByteReLU())
    return model
