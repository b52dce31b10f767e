"""The clock splits a step correctly; time itself is a stand-in, so nothing depends on a machine."""

import contextlib
import time
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from xconv_bench.errors import UsageError
from xconv_bench.meters.clock import StepTimes, collect_step_times, time_steps


class Steps:
    """A training step whose parts take set times on a clock of their own."""

    def __init__(self, forward: list[float], backward: list[float], zero_grad: float) -> None:
        self.now = 0.0
        self.order: list[str] = []
        self.received: list[float] = []
        self._forward = iter(forward)
        self._backward = iter(backward)
        self._zero_grad = zero_grad

    def forward(self) -> Tensor:
        self.order.append("forward")
        self.now += next(self._forward)
        return torch.tensor(self.now)

    def zero_grad(self) -> None:
        self.order.append("zero_grad")
        self.now += self._zero_grad

    def backward(self, loss: Tensor) -> None:
        self.order.append("backward")
        self.received.append(loss.item())
        self.now += next(self._backward)


class FakeEvent:
    """Stands in for torch.cuda.Event; refuses to be read before the GPU reached it."""

    steps: Steps
    synchronised = False

    def __init__(self, enable_timing: bool) -> None:
        assert enable_timing

    def record(self) -> None:
        self.at = FakeEvent.steps.now

    def elapsed_time(self, end: "FakeEvent") -> float:
        assert FakeEvent.synchronised, "read before the synchronisation"
        return (end.at - self.at) * 1000


def use_fake_cuda(monkeypatch: pytest.MonkeyPatch, steps: Steps) -> list[str]:
    """Put the stand-ins in torch.cuda; returns what was entered and synchronised, in order."""

    def synchronize() -> None:
        steps.order.append("synchronize")
        FakeEvent.synchronised = True

    entered: list[str] = []

    @contextlib.contextmanager
    def current_device(device: torch.device) -> Iterator[None]:
        entered.append(str(device))
        yield

    monkeypatch.setattr(FakeEvent, "steps", steps, raising=False)
    monkeypatch.setattr(FakeEvent, "synchronised", False)
    monkeypatch.setattr(torch.cuda, "Event", FakeEvent)
    monkeypatch.setattr(torch.cuda, "synchronize", synchronize)
    monkeypatch.setattr(torch.cuda, "device", current_device)
    return entered


# One slow warm-up step, then three: the medians of forward and backward come from different steps.
FORWARD = [100.0, 1.0, 2.0, 4.0]
BACKWARD = [100.0, 8.0, 16.0, 4.0]
ZERO_GRAD = 0.5
MEDIANS = {"forward_seconds": 2.0, "backward_seconds": 8.0, "step_seconds": 9.5}
ONE_STEP = ["forward", "zero_grad", "backward"]


def test_cpu_medians_leave_the_warm_up_out(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(FORWARD, BACKWARD, ZERO_GRAD)
    monkeypatch.setattr(time, "perf_counter", lambda: steps.now)

    reading = time_steps(steps.forward, steps.backward, steps.zero_grad, "cpu", steps=3, warmup=1)

    assert reading == MEDIANS
    assert steps.order == ONE_STEP * 4


def test_backward_receives_the_loss_of_its_own_step(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps([1.0, 2.0], [3.0, 4.0], zero_grad=0.0)
    monkeypatch.setattr(time, "perf_counter", lambda: steps.now)

    time_steps(steps.forward, steps.backward, steps.zero_grad, "cpu", steps=2, warmup=0)

    assert steps.received == [1.0, 6.0]


def test_cuda_reads_events_after_one_synchronisation(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(FORWARD, BACKWARD, ZERO_GRAD)
    entered = use_fake_cuda(monkeypatch, steps)

    reading = time_steps(
        steps.forward, steps.backward, steps.zero_grad, "cuda:1", steps=3, warmup=1
    )

    assert reading == pytest.approx(MEDIANS)
    assert steps.order == [*ONE_STEP * 4, "synchronize"]
    assert entered == ["cuda:1"]


def test_every_step_is_kept_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(FORWARD, BACKWARD, ZERO_GRAD)
    monkeypatch.setattr(time, "perf_counter", lambda: steps.now)

    times = collect_step_times(
        steps.forward, steps.backward, steps.zero_grad, torch.device("cpu"), steps=3, warmup=1
    )

    assert times == StepTimes([1.0, 2.0, 4.0], [8.0, 16.0, 4.0], [9.5, 18.5, 8.5])


@pytest.mark.parametrize(
    ("device", "steps", "warmup", "complaint"),
    [
        ("cpu", 0, 1, "steps=0"),
        ("cpu", 3, -1, "warmup=-1"),
        ("meta", 3, 1, "'meta' cannot be timed"),
    ],
    ids=["no steps", "negative warm-up", "no clock"],
)
def test_what_cannot_be_timed_is_refused(
    device: str, steps: int, warmup: int, complaint: str
) -> None:
    never = Steps([], [], 0.0)

    with pytest.raises(UsageError, match=complaint):
        time_steps(never.forward, never.backward, never.zero_grad, device, steps, warmup)

    assert never.order == []
