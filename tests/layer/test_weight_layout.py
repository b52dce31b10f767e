"""Weight gradients lie in memory as their weights do: distributed training compares the strides."""

import pytest
import torch
from layer_cases import KINDS, Kind, how
from torch import Tensor

from xconv.schemes import PROBED, SCHEMES

FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}


def estimated(layer: torch.nn.Module, x: Tensor) -> Tensor:
    """Straight from the layer: what a parameter accumulates has been copied by torch if need be."""
    (gradient,) = torch.autograd.grad(layer(x).square().sum(), layer.weight)
    return gradient


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("probes", [2, 30], ids=["correlated", "expanded"])
@pytest.mark.parametrize("scheme", PROBED)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_contiguous_weights(kind: Kind, scheme: str, probes: int, kernel: int) -> None:
    layer = kind.ours(4, 6, kernel, probes=probes, scheme=scheme)
    for x in (kind.images(), kind.images().movedim(1, -1).contiguous().movedim(-1, 1)):
        assert estimated(layer, x).stride() == layer.weight.stride()


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("scheme", sorted(set(SCHEMES) - set(PROBED)))
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_contiguous_weights_of_other_schemes(kind: Kind, scheme: str, kernel: int) -> None:
    layer = kind.ours(4, 6, kernel, **how(scheme))
    for x in (kind.images(), kind.images().movedim(1, -1).contiguous().movedim(-1, 1)):
        assert estimated(layer, x).stride() == layer.weight.stride()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("kind", [k for k in KINDS if len(k.pixels) > 1], ids=str)
def test_channels_last_weights(kind: Kind, scheme: str) -> None:
    layer = kind.ours(4, 6, 3, **how(scheme, probes=8))
    layer.to(memory_format=FORMATS[layer.weight.dim()])
    x = kind.images().contiguous(memory_format=FORMATS[layer.weight.dim()])
    assert not layer.weight.is_contiguous()
    assert estimated(layer, x).stride() == layer.weight.stride()


@pytest.mark.parametrize("channels", [(4, 6, 1), (4, 1, 1), (4, 1, 3), (1, 6, 1)], ids=str)
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("kind", [k for k in KINDS if len(k.pixels) > 1], ids=str)
def test_weights_that_are_contiguous_and_channels_last(
    kind: Kind, scheme: str, channels: tuple[int, int, int]
) -> None:
    """1×1 kernels, or a single channel: as ``model.to(memory_format=…)`` leaves them."""
    layer = kind.ours(*channels, **how(scheme, probes=8))
    layer.to(memory_format=FORMATS[layer.weight.dim()])
    for x in (kind.images(channels=channels[0]), kind.images(channels=channels[0], batch=3)):
        assert estimated(layer, x).stride() == layer.weight.stride()
        x = x.contiguous(memory_format=FORMATS[layer.weight.dim()])
        assert estimated(layer, x).stride() == layer.weight.stride()
