"""Seconds of the forward pass, of the backward pass and of a whole step."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

from xconv_bench.errors import UsageError

Mark = TypeVar("Mark")


@dataclass(frozen=True)
class StepTimes:
    """The seconds of each timed step, in the order in which they ran.

    A step is forward, clearing the gradients, and backward, so it is a little longer than the
    other two together.

    >>> times = StepTimes([1.0, 2.0, 3.0], [2.0, 2.0, 8.0], [4.0, 5.0, 12.0])
    >>> times.reading
    {'forward_seconds': 2.0, 'backward_seconds': 2.0, 'step_seconds': 5.0}
    """

    forward_seconds: list[float]
    backward_seconds: list[float]
    step_seconds: list[float]

    @property
    def reading(self) -> dict[str, float]:
        """Return the median of each column, taken for itself: they need not add up."""
        return {column: statistics.median(seconds) for column, seconds in vars(self).items()}


def time_steps(
    forward: Callable[[], Tensor],
    backward: Callable[[Tensor], None],
    zero_grad: Callable[[], None],
    device: torch.device | str,
    steps: int,
    warmup: int,
) -> dict[str, float]:
    """Return the medians ``forward_seconds``, ``backward_seconds`` and ``step_seconds``.

    See :func:`collect_step_times` for the arguments and the errors.
    """
    return collect_step_times(forward, backward, zero_grad, device, steps, warmup).reading


def collect_step_times(
    forward: Callable[[], Tensor],
    backward: Callable[[Tensor], None],
    zero_grad: Callable[[], None],
    device: torch.device | str,
    steps: int,
    warmup: int,
) -> StepTimes:
    """Run ``warmup`` steps that are not counted, then ``steps`` that are timed one by one.

    ``forward`` returns the loss that ``backward`` receives. On CUDA the times are those of
    events in the current stream, read after the last step: timing puts no synchronisation
    between steps. On CPU they are wall-clock times.

    Raises UsageError for ``steps`` below 1, ``warmup`` below 0, or a device without a clock.
    """
    if steps < 1 or warmup < 0:
        raise UsageError(
            f"steps={steps} after warmup={warmup} cannot be timed: "
            "expected steps of at least 1 and warmup of at least 0"
        )
    device = torch.device(device)
    if device.type == "cpu":
        return _time(_WALL_CLOCK, forward, backward, zero_grad, steps, warmup)
    if device.type == "cuda":
        # An event belongs to the current stream of the current device, which may be another GPU.
        with torch.cuda.device(device):
            return _time(_EVENT_CLOCK, forward, backward, zero_grad, steps, warmup)
    raise UsageError(f"device '{device}' cannot be timed: expected cpu or cuda")


@dataclass(frozen=True)
class _Clock(Generic[Mark]):
    """Marks moments, waits until all marks are reached, and reads the time between two."""

    mark: Callable[[], Mark]
    wait: Callable[[], None]
    seconds_between: Callable[[Mark, Mark], float]


class _StepMarks(NamedTuple, Generic[Mark]):
    start: Mark
    forward_end: Mark
    backward_start: Mark
    end: Mark


def _time(
    clock: _Clock[Mark],
    forward: Callable[[], Tensor],
    backward: Callable[[Tensor], None],
    zero_grad: Callable[[], None],
    steps: int,
    warmup: int,
) -> StepTimes:
    # Warm-up steps are marked too and dropped: no pause then lets the GPU idle before step one.
    marks = [_run_step(clock, forward, backward, zero_grad) for _ in range(warmup + steps)]
    clock.wait()
    timed = marks[warmup:]
    return StepTimes(
        [clock.seconds_between(step.start, step.forward_end) for step in timed],
        [clock.seconds_between(step.backward_start, step.end) for step in timed],
        [clock.seconds_between(step.start, step.end) for step in timed],
    )


def _run_step(
    clock: _Clock[Mark],
    forward: Callable[[], Tensor],
    backward: Callable[[Tensor], None],
    zero_grad: Callable[[], None],
) -> _StepMarks[Mark]:
    start = clock.mark()
    loss = forward()
    forward_end = clock.mark()
    zero_grad()
    backward_start = clock.mark()
    backward(loss)
    return _StepMarks(start, forward_end, backward_start, clock.mark())


def _record_event() -> torch.cuda.Event:
    event = torch.cuda.Event(enable_timing=True)
    event.record()
    return event


def _event_seconds(start: torch.cuda.Event, end: torch.cuda.Event) -> float:
    milliseconds: float = start.elapsed_time(end)
    return milliseconds / 1000


_WALL_CLOCK: _Clock[float] = _Clock(
    mark=lambda: time.perf_counter(),
    wait=lambda: None,
    seconds_between=lambda start, end: end - start,
)
_EVENT_CLOCK: _Clock[torch.cuda.Event] = _Clock(
    mark=_record_event,
    wait=lambda: torch.cuda.synchronize(),
    seconds_between=_event_seconds,
)
