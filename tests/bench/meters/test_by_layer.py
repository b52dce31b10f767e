"""Moments of a step of networks of which every byte is known."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from xconv_bench.meters.by_layer import LayerMemoryMeter, Moment
from xconv_bench.meters.live import LiveMeter


class Counter:
    """Counts the questions: the n-th moment has n bytes, and a peak of 10 n."""

    def __init__(self) -> None:
        self.asked = 0

    def now(self) -> int:
        self.asked += 1
        return self.asked

    def peak(self) -> int:
        return 10 * self.asked


def points(
    model: nn.Module, input: Tensor, run: Callable[..., Tensor] | None = None
) -> list[Moment]:
    meter = LayerMemoryMeter(model, Counter())
    with meter.watching():
        loss = (run or model)(input).sum()
        meter.turn()
        loss.backward()
        meter.end()
    assert not any(m._forward_hooks for m in model.modules())
    return meter.moments


def names(found: list[Moment]) -> list[tuple[str, str]]:
    return [(point.phase[0], point.layer) for point in found]


def test_forward_and_backward_in_the_order_of_time() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.ReLU(inplace=True)), nn.Linear(2, 1))
    found = points(model, torch.randn(1, 2))
    assert names(found) == [
        ("f", "0"), ("f", "1.0"), ("f", "2"), ("f", "loss"),
        ("b", "2"), ("b", "1.0"), ("b", "0"), ("b", "end"),
    ]  # fmt: skip
    assert [(p.bytes, p.peak_bytes) for p in found] == [(n, 10 * n) for n in range(1, 9)]
    assert [p.kind for p in found[:3]] == ["Linear", "ReLU", "Linear"]


def test_a_layer_that_runs_twice_and_one_that_does_not_run() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused = nn.Tanh(), nn.Linear(2, 2)

        def forward(self, input: Tensor) -> Tensor:
            return self.used(self.used(input))

    found = points(Twice(), torch.randn(2, requires_grad=True))
    assert names(found) == [
        ("f", "used"), ("f", "used"), ("f", "loss"), ("b", "used"), ("b", "used"), ("b", "end")
    ]  # fmt: skip


def test_what_is_computed_again_says_so() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Tanh())
    found = points(
        model,
        torch.randn(1, 2, requires_grad=True),
        lambda input: checkpoint(model, input, use_reentrant=False),
    )
    assert ("r", "0") in names(found) and names(found)[:3] == [
        ("f", "0"), ("f", "1"), ("f", "loss")
    ]  # fmt: skip


def test_the_bytes_of_known_tensors() -> None:
    """Blocks of 512 bytes: each of the two outputs takes one; the first is kept by the second."""
    model = nn.Sequential(nn.Tanh(), nn.Tanh())
    input = torch.randn(128, requires_grad=True)
    live = LiveMeter(input.device)
    live.track(input)

    class Gauge:
        def now(self) -> int:
            return live.live_bytes

        def peak(self) -> int:
            peak = live.peak_bytes
            live.reset_peak()
            return peak

    meter = LayerMemoryMeter(model, Gauge())
    with live, meter.watching():
        output = model(input)
        meter.turn()
        output.backward(torch.ones(128))
        meter.end()
    assert [point.bytes for point in meter.moments[:3]] == [1024, 1536, 1536]
