"""The bytes that the spectral scheme keeps: at most its bits and 3 %, all saved tensors counted."""

from math import prod

import pytest
import torch
from geometries import DRAWN, conv_case
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from xconv import account, convert, functional
from xconv.layout import Layout
from xconv.probing import Probing
from xconv.schemes import SCHEMES
from xconv.schemes.scheme import NO_SMALLER
from xconv.spectrum.plan import BlockPlan
from xconv_bench.meters.saved import SavedMeter

ELEMENTS = 200_000
"""The fewest elements of an input: a call keeps up to a few hundred bytes whatever its size, for
its frequencies, groups that are not full, and the seed."""
MAPS = [
    (8, 8), (9, 9), (16, 16), (17, 17), (12, 20), (31, 31), (56, 56), (64,), (100,), (1000,),
    (4, 4, 4), (8, 8, 8), (5, 9, 11),
]  # fmt: skip


def saved_bytes(model: nn.Module, input: Tensor) -> int:
    """Return those of all tensors, on any device, that a call keeps for its backward pass."""
    meter = SavedMeter(model.parameters())
    with meter:
        output = model(input)
    assert output.requires_grad  # and is alive, and with it what it keeps
    return int(meter.reading["saved_bytes"])


class Alone(nn.Module):
    """One layer of the function, whose plan is the nominal one."""

    def __init__(self, dimensions: int, bits: float) -> None:
        super().__init__()
        self.weight, self.bits = nn.Parameter(torch.ones(1, 64, *[1] * dimensions)), bits

    def forward(self, input: Tensor) -> Tensor:
        return functional.conv(input, self.weight, bits=self.bits)


@pytest.mark.parametrize("bits", [0.25, 0.5, 1, 3])
@pytest.mark.parametrize("pixels", MAPS, ids=str)
def test_a_call_keeps_its_bits_and_little_more(pixels: tuple[int, ...], bits: float) -> None:
    input = torch.zeros(-(-ELEMENTS // (64 * prod(pixels))), 64, *pixels)
    kept = saved_bytes(Alone(len(pixels), bits), input)
    assert 0 < kept <= 1.03 * bits * input.numel() / 8


@settings(DRAWN, max_examples=80)
@given(
    st.integers(1, 3).flatmap(lambda size: st.tuples(*[st.integers(1, 12)] * (2 + size))),
    st.sampled_from([0.25, 0.5, 1.0, 8.0]),
    st.sampled_from([torch.float64, torch.float32, torch.float16]),
)
def test_it_never_keeps_more_than_the_input(
    shape: tuple[int, ...], bits: float, dtype: torch.dtype
) -> None:
    """Small inputs are kept as they are; others take their bits, frequencies and a rest."""
    input = torch.zeros(shape, dtype=dtype)
    probing = Probing(bits=bits)
    if probing.why_exact(input):
        return
    layout, weight = Layout.of(input), torch.Size((1, shape[1], *[1] * (len(shape) - 2)))
    seed = torch.tensor(0)
    kept = SCHEMES["spectral"].keep(input, seed, probing, layout, weight, weight, None)
    like = SCHEMES["spectral"].kept_like(input, layout, probing, None)
    assert [(t.shape, t.dtype) for t in kept[1:]] == [(t.shape, t.dtype) for t in like]
    size = sum(tensor.nbytes for tensor in kept)
    pixels = prod(shape[2:])
    assert size < input.nbytes
    least = shape[0] * shape[1] / 4  # a bit and its share of a scale for each map, and groups
    assert size <= bits * input.numel() / 8 + least + 2 * pixels + 160


def network() -> nn.Sequential:
    """Maps of 32, 16 and 8 pixels a side."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 32, 3, padding=1, stride=2),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3, padding=1, stride=2),
        nn.ReLU(),
        nn.Conv2d(64, 32, 3, padding=1),
    )


def smooth_images(batch: int = 16) -> Tensor:
    rough = torch.randn(batch, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    return nn.functional.interpolate(rough, size=(32, 32), mode="bilinear")


def inputs_of(model: nn.Sequential, images: Tensor) -> list[Tensor]:
    """Return the inputs of the convolutions that are compressed."""
    found = []
    with torch.no_grad():
        for layer in model:
            if isinstance(layer, nn.Conv2d) and images.shape[1] > 3:
                found.append(images)
            images = layer(images)
    return found


@pytest.mark.parametrize("bits", [0.25, 0.5, 1])
def test_layers_of_a_network_share_their_bits(bits: float) -> None:
    """Nominal plans, and those after some steps: on average over the layers."""
    model = convert(network(), bits=bits, compress=["conv"])
    images = smooth_images(64)
    elements = sum(input.numel() for input in inputs_of(model, images))
    relu = [layer for layer in model if isinstance(layer, nn.ReLU)]
    outputs = sum(64 * c * s * s * 4 for c, s in ((32, 32), (32, 16), (64, 8)))
    assert len(relu) == 3
    for step in range(4):
        kept = saved_bytes(model, images) - outputs - images.nbytes
        assert 0.9 * bits * elements / 8 < kept <= 1.03 * bits * elements / 8, step
        model(images).square().mean().backward()
    plans: list[BlockPlan] = [model[n]._xconv.member.plan for n in (2, 4, 6)]
    spent = [plan.bits_a_block / plan.order.numel() for plan in plans]
    assert max(spent) > 1.5 * min(spent)  # not uniform


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ((64, 64, 1, 1), "maps of fewer than 4 pixels are too small"),
        ((64, 64, 1, 3), "maps of fewer than 4 pixels are too small"),
        ((1, 1, 4, 4), NO_SMALLER),
    ],
    ids=["one pixel", "three", "one small map"],
)
def test_what_is_too_small_is_exact_and_the_account_says_so(
    shape: tuple[int, ...], reason: str
) -> None:
    model = convert(nn.Sequential(nn.Conv2d(shape[1], 2, 1)), first="compressed")
    exact = nn.Conv2d(shape[1], 2, 1)
    exact.load_state_dict(model[0].state_dict())
    input = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    for layer in (model, exact):
        layer(input).square().sum().backward()
    torch.testing.assert_close(model[0].weight.grad, exact.weight.grad, rtol=0, atol=0)
    (entry,) = account(model)
    assert not entry.swapped and reason in entry.reason


def test_maps_of_four_pixels_are_compressed() -> None:
    case = conv_case((32, 16, 2, 2), 2, 1)
    layer = case.probed_layer(torch.float32, bits=0.5)
    layer(case.input(torch.float32)).sum().backward()
    assert not layer._xconv.falls_back
