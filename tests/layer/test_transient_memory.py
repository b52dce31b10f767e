"""Memory that a layer needs for a moment: no more than its input, output and weight together.

The weight counts as float32, in which chunks are summed. Counted are live tensor storages beyond
what a pass is given and what it returns; a kernel's own workspace is not seen. Chunks that are
small whatever the layer (``SMALL_CHUNK``) are not allowed here, so that layers of a few hundred
kilobytes stand for large ones.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from math import prod
from typing import Any
from unittest import mock

import pytest
import torch
from complete_probes import WAYS
from geometries import Case, conv_case

from xconv.schemes import multi
from xconv_bench.meters.live import LiveMeter

SLACK_BYTES = 2**16
"""Sketches and their scaled copies, weights of columns, blocks of 512 bytes."""
CPU = torch.device("cpu")

CASES = {
    "3x3": conv_case((8, 16, 16, 16), 16, 3, padding=1),
    "3x3, channels last": conv_case((8, 16, 16, 16), 16, 3, padding=1, channels_last=True),
    "1x1": conv_case((8, 16, 16, 16), 16, 1),
    "batch 1, large image": conv_case((1, 8, 96, 96), 8, 3, padding=1),
    "batch 1, fewer channels out": conv_case((1, 48, 40, 40), 4, 1),
    "batch 1, patches": conv_case((1, 3, 160, 160), 24, 16, stride=16),
    "patches": conv_case((4, 3, 96, 96), 48, 16, stride=16),
    "stem": conv_case((4, 3, 96, 96), 16, 7, padding=3, stride=2),
    "1x1, strided": conv_case((2, 64, 32, 32), 8, 1, stride=2),
    "one channel": conv_case((4, 1, 128, 128), 1, 5, padding=2),
    "depthwise": conv_case((8, 32, 20, 20), 32, 7, padding=3, groups=32),
    "many channels, small image": conv_case((16, 128, 4, 4), 128, 3, padding=1),
    "dilated": conv_case((8, 16, 20, 20), 16, 3, padding=4, dilation=4),
    "same, even": conv_case((8, 16, 20, 20), 16, 4, padding="same"),
    "reflect": conv_case((8, 16, 20, 20), 16, 3, padding=1, padding_mode="reflect"),
    "circular, strided": conv_case((8, 32, 20, 20), 16, 3, padding=1, stride=2,
                                   padding_mode="circular"),
    "1d": conv_case((8, 16, 800), 16, 9, padding=4),
    "3d": conv_case((2, 8, 12, 16, 16), 8, 3, padding=1),
    "transposed": conv_case((4, 32, 12, 12), 16, 4, stride=2, padding=1, transposed=True),
    "transposed, batch 1": conv_case((1, 16, 40, 40), 16, 2, stride=2, transposed=True),
}  # fmt: skip


every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


@pytest.fixture(autouse=True)
def no_small_chunks() -> Iterator[None]:
    with (
        mock.patch("xconv.schemes.multi.SMALL_CHUNK", 0),
        mock.patch("xconv.schemes.independent.SMALL_CHUNK", 0),
    ):
        yield


def excess_bytes(layer: Any, case: Case, dtype: torch.dtype, follow_input: bool = True) -> int:
    """The higher of both passes' peaks, less what they are given and return, and the bound."""
    input = case.input(dtype).detach().requires_grad_(follow_input)
    layer(input)  # what torch sets up once is not the layer's
    meter = LiveMeter(CPU)
    meter.track([input, *layer.parameters()])
    wanted = [input, layer.weight] if follow_input else [layer.weight]
    with meter:
        given = meter.live_bytes
        output = layer(input)
        forward = meter.peak_bytes - given - output.nbytes
        delta = torch.ones_like(output)
        given = meter.live_bytes
        meter.reset_peak()
        gradients = torch.autograd.grad(output, wanted, delta)
        backward = meter.peak_bytes - given - sum(g.nbytes for g in gradients)
    summed = layer.weight.numel() * 4
    return max(forward, backward) - (input.nbytes + output.nbytes + summed + SLACK_BYTES)


@pytest.mark.parametrize(
    ("way", "name", "dtype"),
    [
        (way, name, (torch.float32, torch.bfloat16)[(i + j) % 2])
        for i, way in enumerate(WAYS)
        for j, name in enumerate(CASES)
    ],
    ids=str,
)
def test_a_step_needs_no_more_than_what_the_layer_works_on(
    way: str, name: str, dtype: torch.dtype
) -> None:
    """Each geometry and each way in both dtypes; each dtype with a distribution of its own."""
    case = CASES[name]
    distribution = "rademacher" if dtype == torch.float32 else "gaussian"
    for probes in (1, 6, 40, 100):
        layer = case.probed_layer(dtype, probes=probes, distribution=distribution, **WAYS[way])
        assert excess_bytes(layer, case, dtype) <= 0, f"{probes} probes"
        if layer._xconv.falls_back:
            break


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("scheme", ["quantized", "sampling"])
def test_nor_does_one_that_forms_what_stands_for_its_input(scheme: str, case: Case) -> None:
    small = {"cpu": 2**11}
    layer = case.probed_layer(torch.float32, scheme=scheme)
    with (
        mock.patch("xconv.schemes.quantized.AT_A_TIME", small),
        mock.patch("xconv.schemes.rebuilt.AT_A_TIME", small),
    ):
        assert excess_bytes(layer, case, torch.float32) <= 0
    assert not layer._xconv.falls_back


@contextmanager
def no_small_parts() -> Iterator[None]:
    """The spectral scheme divides everything, down to single maps."""
    with (
        mock.patch("xconv.spectrum.parts.SMALL", {"cpu": 0}),
        mock.patch("xconv.spectrum.correlation.SMALL", {"cpu": 0}),
        mock.patch("xconv.budget._TOGETHER", {"cpu": 0}),
    ):
        yield


@pytest.mark.parametrize(
    ("name", "dtype"),
    list(zip(CASES, cycle((torch.float32, torch.bfloat16)), strict=False)),
    ids=str,
)
def test_nor_does_the_spectral_scheme(name: str, dtype: torch.dtype) -> None:
    """It works in float32: of one map, the least that it works on, it may need some copies where
    that is much of a whole input of fewer bits. The second call is one that it learns from."""
    case = CASES[name]
    a_map = 4 * prod(case.input_shape[2:])
    copies = 3 if case.input_shape[:2] == (1, 3) and dtype == torch.bfloat16 else 0
    for bits in (0.25, 4):  # hardly any coefficient is kept, and every one
        layer = case.probed_layer(dtype, bits=bits)
        with no_small_parts():
            assert excess_bytes(layer, case, dtype) <= copies * a_map, f"{bits} bits"
        assert layer._xconv.member.weights is not None and not layer._xconv.falls_back


@pytest.mark.parametrize("name", ["3x3", "batch 1, large image", "stem", "one channel"])
def test_nor_does_a_spectral_first_layer_whose_input_needs_no_gradient(name: str) -> None:
    for bits in (0.25, 1):
        layer = CASES[name].probed_layer(torch.float32, bits=bits)
        with no_small_parts():
            assert excess_bytes(layer, CASES[name], torch.float32, follow_input=False) <= 0


@pytest.mark.parametrize("name", ["3x3", "batch 1, large image", "stem", "one channel"])
@every_way
def test_nor_does_a_first_layer_whose_input_needs_no_gradient(
    way: dict[str, Any], name: str
) -> None:
    for probes in (6, 40):
        layer = CASES[name].probed_layer(torch.float32, probes=probes, **way)
        assert excess_bytes(layer, CASES[name], torch.float32, follow_input=False) <= 0


def test_the_meter_sees_a_copy_too_many() -> None:
    """Or the tests above could not fail."""
    case = CASES["3x3"]
    layer = case.probed_layer(torch.float32, probes=40, scheme="multi")
    original = multi._expand

    def wasteful(probes: Any, coefficients: Any, result: Any, beta: int) -> None:
        copies = [result + 0 for _ in range(3)]
        original(probes, coefficients, result, beta)
        del copies

    with mock.patch.object(multi, "_expand", side_effect=wasteful):
        assert excess_bytes(layer, case, torch.float32) > 0
