"""A training step of a task: what it is made of, and the memory that it takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from xconv_bench.configuration import SIMULATED, TrainingConfiguration
from xconv_bench.errors import Unsupported
from xconv_bench.measurement.batch_search import largest_batch
from xconv_bench.measurement.counting import Count
from xconv_bench.measurement.simulating import simulating
from xconv_bench.meters.live import LiveMeter
from xconv_bench.methods import find_method
from xconv_bench.tasks import Task

Batch = Mapping[str, Tensor]


def build(task: Task, cell: TrainingConfiguration) -> nn.Module:
    """The task's network in the method's form, in training mode, on the CPU.

    Its weights follow from the seed, and are the same for all methods. Raises Unsupported where
    the method cannot be applied to it.
    """
    torch.manual_seed(cell.seed)
    return find_method(cell.method).apply(task.build(), cell).train()


@dataclass(frozen=True)
class TaskStep:
    """Forward, loss, ``zero_grad``, backward; the optimizer's own step is outside."""

    task: Task
    model: nn.Module
    batch: Batch

    def forward(self) -> Tensor:
        """The loss, a scalar with its graph."""
        return self.task.loss(self.model, self.batch)

    def __call__(self) -> Tensor:
        """Leave gradients in the parameters; the loss."""
        loss = self.forward()
        self.model.zero_grad(set_to_none=True)
        loss.backward()
        return loss.detach()


def count_step(step: TaskStep) -> Count:
    """Count a step that is not the first, simulated or not, but for what autograd saves."""
    live = LiveMeter(torch.device("cpu"))
    live.track(dict(step.batch))
    live.track_model(step.model)
    live.reset_peak()
    start = live.live_bytes
    with live:
        step()
    return Count(live.peak_bytes, start, 0, live.largest_elements, dict(live.allocated_bytes))


class SimulatedTask:
    """Steps of a task with tensors that have a shape and no contents: nothing is computed."""

    def __init__(self, task: Task, cell: TrainingConfiguration) -> None:
        if not find_method(cell.method).is_simulated:
            raise Unsupported(f"{cell.method} cannot be simulated, only really run")
        self._mode = FakeTensorMode(allow_non_fake_inputs=True)
        self._task = task
        self._model = build(task, cell)
        for module in self._model.modules():
            for tensors in (module._parameters, module._buffers):
                for name, tensor in tensors.items():
                    if tensor is not None:
                        tensors[name] = self._mode.from_tensor(tensor)  # type: ignore[assignment]
        self._sample = next(iter(task.batches(0)))
        with simulating(self._mode):
            self._step(2)()

    def peak_bytes(self, batch_size: int) -> int:
        """The peak of live bytes in a step that is not the first."""
        return self.count(batch_size).peak_bytes

    def count(self, batch_size: int) -> Count:
        """Count such a step."""
        with simulating(self._mode):
            return count_step(self._step(batch_size))

    def operations(self, batch_size: int) -> int:
        """Floating-point operations of a step, of convolutions and matrix products."""
        with simulating(self._mode), FlopCounterMode(display=False) as counter:
            self._step(batch_size)()
        return int(counter.get_total_flops())

    def _step(self, batch_size: int) -> TaskStep:
        size = batch_size if self._task.has_batches else 1
        batch = {
            name: torch.empty((size, *tensor.shape[1:]), dtype=tensor.dtype)
            for name, tensor in self._sample.items()
        }
        return TaskStep(self._task, self._model, batch)


@dataclass(frozen=True)
class TaskEstimate:
    """Yields ``peak_bytes``, ``step_operations`` of all steps together, and ``seconds`` it took.

    Of a method that cannot be simulated, those of exact.
    """

    make: Callable[[], Task]
    cell: TrainingConfiguration

    def __call__(self) -> Iterator[dict[str, Any]]:
        """Simulate; raises Unsupported where the method cannot be applied."""
        began = time.perf_counter()
        task, cell = self.make(), self.cell
        if not find_method(cell.method).is_simulated:
            cell = cell.as_exact()
        simulated = SimulatedTask(task, cell)
        steps = task.steps() * cell.epochs
        yield {
            "peak_bytes": simulated.peak_bytes(cell.batch_size),
            "step_operations": simulated.operations(cell.batch_size) * steps,
            "seconds": time.perf_counter() - began,
        }


@dataclass(frozen=True)
class EqualMemoryBatch:
    """Yields ``batch_size``: the largest whose step takes no more than exact's at the reference."""

    make: Callable[[], Task]
    cell: TrainingConfiguration
    most: int

    def __call__(self) -> Iterator[dict[str, Any]]:
        """Simulate; raises Unsupported where the method cannot be."""
        task, cell = self.make(), self.cell
        exact = replace(cell.as_exact(), device=SIMULATED)
        budget = SimulatedTask(task, exact).peak_bytes(cell.batch_size)
        if cell.method == "exact":
            yield {"batch_size": cell.batch_size}
            return
        found = largest_batch(SimulatedTask(task, cell).peak_bytes, budget, self.most)
        yield {"batch_size": max(found.size, 1)}
