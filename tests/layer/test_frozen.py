"""A layer without a gradient of its own to find keeps only what others need, in bytes."""

import pytest
import torch
from layer_cases import gradients
from torch import Tensor, nn

import xconv
from xconv.grouped import groups_for, kept_bytes
from xconv_bench.meters.saved import SavedMeter

SIDE, CHANNELS, BATCH = 16, 8, 4
BITS_OF_A_RELU = BATCH * CHANNELS * SIDE**2 // 8
SEED_BYTES = 8
NORM_BYTES = kept_bytes(groups_for(BATCH * CHANNELS * SIDE**2), 4) + SEED_BYTES + 4 * CHANNELS


def network(blocks: int = 3, **how: object) -> nn.Sequential:
    """Blocks of convolution, normalisation and ReLU, and a linear layer for each position."""
    torch.manual_seed(0)
    layers = []
    for _ in range(blocks):
        layers += [nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1), nn.BatchNorm2d(CHANNELS), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Flatten(2), nn.Linear(SIDE**2, 5))
    return xconv.convert(model, compress="all", probes=4, first="compressed")


def images() -> Tensor:
    shape = BATCH, CHANNELS, SIDE, SIDE
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def saved_bytes(model: nn.Module, x: Tensor) -> int:
    meter = SavedMeter([*model.parameters(), *model.buffers()])
    with meter:
        output = model(x)
    assert output.requires_grad
    return meter.reading["saved_bytes"]


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluating"])
def test_a_frozen_network_whose_input_is_followed(training: bool) -> None:
    """One bit for each ReLU; statistics of the input need the normalised input, given ones not."""
    model = network().requires_grad_(False).train(training)
    expected = 3 * (BITS_OF_A_RELU + training * NORM_BYTES)
    x = images()
    assert saved_bytes(model, x.clone().requires_grad_()) == expected
    exact = xconv.revert(network()).requires_grad_(False).train(training)
    assert saved_bytes(exact, x.clone().requires_grad_()) > (3 if training else 8) * expected


def test_the_last_block_alone_learns() -> None:
    """Nothing is followed before it, so that nothing is kept, by torch neither."""
    model = network()
    model[:6].requires_grad_(False)
    sketch = BATCH * CHANNELS * (4 * 2 + 4) + SEED_BYTES
    last = sketch + NORM_BYTES + BITS_OF_A_RELU
    rows = kept_bytes(groups_for(BATCH * CHANNELS * SIDE**2), 2) + SEED_BYTES
    assert saved_bytes(model, images()) == last + rows


def test_frozen_blocks_behind_one_that_learns() -> None:
    """A frozen convolution or linear layer passes gradients on with its weight alone."""
    model = network().eval()
    model[3:].requires_grad_(False)
    model[1].requires_grad_(False)
    sketch = BATCH * CHANNELS * (4 * 2 + 4) + SEED_BYTES
    assert saved_bytes(model, images()) == sketch + 3 * BITS_OF_A_RELU
    exact = xconv.revert(network()).eval()
    exact[3:].requires_grad_(False)
    exact[1].requires_grad_(False)
    found, expected = gradients(model, images()), gradients(exact, images())
    torch.testing.assert_close(found["0.bias"], expected["0.bias"], rtol=1e-4, atol=1e-3)
