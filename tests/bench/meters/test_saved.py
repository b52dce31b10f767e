"""Saved bytes: what autograd keeps, once for each storage, without what exists anyway."""

import gc
import weakref
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xconv import convert
from xconv_bench.meters.saved import SavedMeter

BYTES = 4 * 8 * 16  # of the input below


def saved_bytes(
    function: Callable[[Tensor], Tensor], input: Tensor, excluded: tuple[Tensor, ...] = ()
) -> int:
    meter = SavedMeter(excluded)
    with meter:
        output = function(input)
    reading = meter.reading["saved_bytes"]
    del output
    return reading


@pytest.fixture
def input() -> Tensor:
    return torch.rand(8, 16, generator=torch.Generator().manual_seed(0)).requires_grad_()


@pytest.mark.parametrize(
    ("function", "inputs_kept"),
    [
        (lambda x: x + 1, 0),
        (lambda x: x.sin(), 1),  # its input
        (lambda x: x.exp(), 1),  # its output
        (lambda x: x * x, 1),  # one storage, saved twice
        (lambda x: x.sin() * x.cos(), 3),  # x, sin, cos
        (lambda x: x[:2].sin(), 1),  # a view keeps the whole alive
        (lambda x: x.t().sin() + x.view(-1).cos().view(16, 8), 1),
        (lambda x: x.relu().relu(), 2),
        (lambda x: F.relu(x.exp(), inplace=False), 2),
        (lambda x: x.detach().sin(), 0),
    ],
)  # fmt: skip
def test_by_hand(input: Tensor, function: Callable[[Tensor], Tensor], inputs_kept: int) -> None:
    assert saved_bytes(function, input) == inputs_kept * BYTES


def test_nothing_without_gradients(input: Tensor) -> None:
    with torch.no_grad():
        assert saved_bytes(lambda x: x.exp() * x, input) == 0


def test_parameters_and_buffers_are_excluded(input: Tensor) -> None:
    layer = nn.Linear(16, 16)
    assert saved_bytes(layer, input, tuple(layer.parameters())) == BYTES
    assert saved_bytes(layer, input) == BYTES + 4 * 16 * 16
    scale = torch.ones(8, 16)
    assert saved_bytes(lambda x: x * scale, input, (scale,)) == 0


def test_a_probed_convolution_keeps_its_sketch_and_its_seed() -> None:
    layer = convert(nn.Conv2d(8, 4, 3, bias=False), probes=2, first="compressed")
    image = torch.zeros(3, 8, 9, 9)
    sketch = 4 * 3 * 8 * 2
    meter = SavedMeter(layer.parameters())
    with meter:
        output = layer(image)
    assert sketch <= meter.reading["saved_bytes"] <= sketch + 8 < image.nbytes
    del output


def test_the_backward_pass_frees_and_gives_the_same_gradient(input: Tensor) -> None:
    (expected,) = torch.autograd.grad((input.exp() * input).sum(), input)
    meter = SavedMeter(())
    with meter:
        loss = (input.exp() * input).sum()
    assert meter.reading == {"saved_bytes": 2 * BYTES}
    loss.backward()
    assert meter.reading == {"saved_bytes": 0}
    assert input.grad is not None and input.grad.equal(expected)


def test_what_is_dropped_on_the_way_is_not_kept(input: Tensor) -> None:
    meter = SavedMeter(())
    with meter:
        aside = input.exp().exp()
        kept = input.sin()
        del aside
    assert meter.reading == {"saved_bytes": BYTES}
    del kept


@pytest.mark.parametrize("function", [torch.exp, torch.sigmoid, torch.relu])
def test_an_output_that_is_saved_does_not_keep_itself_alive(
    input: Tensor, function: Callable[[Tensor], Tensor]
) -> None:
    meter = SavedMeter(())
    gc.disable()  # only the collector could free a circle
    try:
        with meter:
            output = function(input)
        storage = weakref.ref(output.untyped_storage())
        del output
        assert storage() is None
    finally:
        gc.enable()
    assert meter.reading == {"saved_bytes": 0}


def test_only_what_is_saved_inside_counts(input: Tensor) -> None:
    before = input.exp()
    meter = SavedMeter(())
    with meter:
        pass
    after = input.exp()
    assert meter.reading == {"saved_bytes": 0}
    del before, after
