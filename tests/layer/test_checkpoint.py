"""``torch.utils.checkpoint`` runs a segment again: with the same probes, to the same gradient."""

import pytest
import torch
from layer_cases import assert_same, gradients, images, small_network
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint, checkpoint_sequential

from xconv import convert

reentrant = pytest.mark.parametrize("reentrant", [False, True], ids=["direct", "reentrant"])


def network() -> nn.Sequential:
    """Converted, with dropout between and behind the probed layers; no running statistics."""
    model = small_network()
    model[1] = nn.Dropout(0.3)
    model[5] = nn.Sequential(nn.Dropout(0.3), nn.AdaptiveAvgPool2d(1))
    return convert(model, probes=4)


def inputs() -> Tensor:
    """Reentrant checkpoints need an input that requires a gradient."""
    return images().requires_grad_()


@reentrant
def test_one_segment(reentrant: bool) -> None:
    model = network()
    expected = gradients(model, inputs())
    actual = gradients(model, inputs(), run=lambda x: checkpoint(model, x, use_reentrant=reentrant))
    assert_same(actual, expected)


@reentrant
@pytest.mark.parametrize("segments", [2, 4])
def test_several_segments(reentrant: bool, segments: int) -> None:
    model = network()
    expected = gradients(model, inputs())
    actual = gradients(
        model,
        inputs(),
        run=lambda x: checkpoint_sequential(model, segments, x, use_reentrant=reentrant),
    )
    assert_same(actual, expected)


@reentrant
def test_the_stream_goes_on_as_without(reentrant: bool) -> None:
    model = network()
    gradients(model, inputs())
    expected = torch.get_rng_state()
    gradients(model, inputs(), run=lambda x: checkpoint(model, x, use_reentrant=reentrant))
    assert torch.equal(torch.get_rng_state(), expected)


@reentrant
def test_under_autocast(reentrant: bool) -> None:
    model = network()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        expected = gradients(model, inputs())
        actual = gradients(
            model, inputs(), run=lambda x: checkpoint(model, x, use_reentrant=reentrant)
        )
    assert_same(actual, expected)
