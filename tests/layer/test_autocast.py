"""Mixed precision: weights are not copied call by call, and float16 does not overflow."""

import pytest
import torch
from layer_cases import KINDS, Kind, how
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from xconv import XConv2d, convert
from xconv.schemes import SCHEMES

all_kinds = pytest.mark.parametrize("kind", KINDS, ids=str)
SEED_BYTES = 8


def kept(layer: nn.Module, *inputs: Tensor) -> int:
    """Bytes that autograd keeps of calls under autocast, parameters apart."""
    storages: dict[int, int] = {}
    alive: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        alive.append(tensor)
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autocast("cpu", dtype=torch.bfloat16), saved_tensors_hooks(pack, lambda t: t):
        outputs = [layer(x) for x in inputs]
    assert all(output.dtype == torch.bfloat16 for output in outputs)
    for parameter in layer.parameters():
        storages.pop(parameter.untyped_storage().data_ptr(), None)
    return sum(storages.values())


@all_kinds
@pytest.mark.parametrize("calls", [1, 5])
def test_no_copy_of_the_weight_is_kept(kind: Kind, calls: int) -> None:
    _, layer = kind.pair(4, 64, 3, probes=2)
    sketch = 2 * 4 * (2 * 2 + 4)  # images, channels, probes, bytes; and the mean's
    inputs = [kind.images() for _ in range(calls)]
    assert kept(layer, *inputs) == calls * (sketch + SEED_BYTES)


@all_kinds
def test_nor_of_a_frozen_one(kind: Kind) -> None:
    _, layer = kind.pair(4, 64, 3, probes=2)
    layer.weight.requires_grad_(False)
    assert kept(layer, kind.images().requires_grad_()) == 0


@all_kinds
@pytest.mark.parametrize("scheme", SCHEMES)
def test_gradients_have_the_dtypes_of_their_leaves(scheme: str, kind: Kind) -> None:
    _, layer = kind.pair(4, 6, 3, padding=1, scheme=scheme)
    x = kind.images().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = layer(x)
    output.sum().backward()
    assert {g.dtype for g in (x.grad, layer.weight.grad, layer.bias.grad)} == {torch.float32}


@pytest.mark.parametrize(
    ("scheme", "rms", "channels_last"),
    [
        (scheme, rms, bool((i + j) % 2))
        for i, scheme in enumerate(SCHEMES)
        for j, rms in enumerate((1e-3, 1.0, 3000.0, 20000.0))
    ],
    ids=str,
)
def test_float16_estimates_like_float64(scheme: str, rms: float, channels_last: bool) -> None:
    """Activations up to a third of what float16 holds, at 512²: x̂ itself would be 180 times larger.

    The same probes in float64 give the same estimate up to rounding, some units of 2⁻¹¹. Each
    scheme in both layouts, of small numbers and of large ones.
    """
    torch.manual_seed(0)
    half = XConv2d(2, 3, 3, bias=False, dtype=torch.float16, **how(scheme, probes=8))
    double = XConv2d(2, 3, 3, bias=False, dtype=torch.float64, **how(scheme, probes=8))
    double.load_state_dict({k: v.double() for k, v in half.state_dict().items()})
    x = (torch.randn(1, 2, 512, 512).abs().clamp_(max=3) * rms).half()
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
    delta = torch.randn(1, 3, 510, 510).half() / 510 / (1 + rms)
    found = []
    for layer, dtype in ((half, torch.float16), (double, torch.float64)):
        torch.manual_seed(1)
        with torch.no_grad():
            layer.weight.mul_(1 / (1 + rms))
        output = layer(x.to(dtype))
        output.backward(delta.to(dtype))
        found.append(layer.weight.grad.double())
    assert found[0].isfinite().all()
    assert float((found[0] - found[1]).norm() / found[1].norm()) < 0.01


def test_the_largest_numbers_of_float16_are_sketched() -> None:
    torch.manual_seed(0)
    x = torch.full((4, 3, 64, 64), 65504.0, dtype=torch.float16)
    layer = XConv2d(3, 3, 3, bias=False, probes=64, dtype=torch.float16)
    with torch.no_grad():
        layer.weight.mul_(1e-6)
    sketches: list[Tensor] = []
    with saved_tensors_hooks(lambda t: sketches.append(t) or t, lambda t: t):
        layer(x)
    assert all(sketch.isfinite().all() for sketch in sketches if sketch.is_floating_point())


def test_a_head_over_several_levels() -> None:
    """One convolution at five sizes, as detectors have it: sketches, seeds and bits remain."""
    head = convert(nn.Sequential(nn.Conv2d(4, 32, 3, padding=1), nn.ReLU()), 2, first="compressed")
    levels = [torch.randn(1, 4, side, side) for side in (32, 16, 8, 4, 2)]
    sketches = 4 * (4 * 2 * 2 + SEED_BYTES) + 32 * (2 * 4 * 4)  # the smallest keeps its input
    bits = sum(32 * level.shape[-1] ** 2 // 8 for level in levels)
    assert kept(head, *levels) <= sketches + bits + 4 * 2 * 4 + head[0].weight.numel() * 2
