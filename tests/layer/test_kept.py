"""Saved bytes of each convolution: its input where it is exact, its sketch where it is probed."""

import torch
from own_networks import plain
from torch import nn

from xconv import convert
from xconv.kept import KeptMeter
from xconv_bench.measurement.comparison import trained_convolutions

BATCH, SIDE = 4, 8
SEED_BYTES = 8


def read(model: nn.Module) -> tuple[dict[str, int], int]:
    """By layer, and of the network without its parameters."""
    input = torch.randn(BATCH, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    model(input)  # lazy layers get their shapes
    layers = trained_convolutions(model)
    with KeptMeter(model.parameters(), layers) as meter:
        output = model(input)
    readings = {name: meter.bytes_of(name) for name in layers}, meter.total_bytes
    del output
    return readings


def test_an_exact_layer_keeps_its_input() -> None:
    layers, network = read(plain())
    assert layers == {"0": 4 * BATCH * 3 * SIDE**2, "2": 4 * BATCH * 8 * SIDE**2}
    # The second ReLU's output is what the linear layer keeps: once for both.
    assert network == sum(layers.values()) + 4 * BATCH * 8 * 3 * 3


def test_a_probed_layer_keeps_its_sketch() -> None:
    probes = 5
    layers, network = read(convert(plain(), probes=probes, first="compressed"))
    of_channel = 2 * probes + 4  # in bytes, that of the mean included
    sketches = {"0": BATCH * 3 * of_channel, "2": BATCH * 8 * of_channel}
    assert layers == {name: size + SEED_BYTES for name, size in sketches.items()}
    bits = BATCH * 8 * SIDE**2 // 8, BATCH * 8 * 3 * 3 // 8
    assert network == sum(layers.values()) + sum(bits) + 4 * BATCH * 8 * 3 * 3


def test_what_two_layers_share_counts_for_both() -> None:
    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right = nn.Conv2d(3, 2, 1), nn.Conv2d(3, 2, 1)

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return self.left(image) + self.right(image)

    input_bytes = 4 * BATCH * 3 * SIDE**2
    assert read(Branches()) == ({"left": input_bytes, "right": input_bytes}, input_bytes)


def test_no_hook_is_left_behind() -> None:
    model = plain()
    read(model)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model if m is not model[-1])
